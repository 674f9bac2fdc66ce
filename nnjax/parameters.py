"""Parameters: their names, how many there are, and which of them are weights."""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp


def name(path: tuple[Any, ...]) -> str:
    """The name of a leaf from its key path, such as ``"hidden1/kernel"``."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def names(params: Any) -> list[str]:
    """The name of every leaf, in the order of ``jax.tree.leaves``."""
    return [name(path) for path, _ in jax.tree.leaves_with_path(params)]


def count(params: Any) -> int:
    """Number of parameters, of arrays or their shapes."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


def size_in_bytes(tree: Any) -> int:
    """Memory that arrays take, or would take, given the arrays or their shapes and dtypes."""
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def dtype_of(module: nn.Module) -> Any:
    """The dtype in which a module computes on ids: that of its parameters; float32 at first."""
    leaves = jax.tree.leaves(module.variables.get("params", {}))
    return leaves[0].dtype if leaves else jnp.float32


def is_weight(path: tuple[Any, ...]) -> bool:
    """Whether the leaf at a key path is a weight: not a bias, nor a normalisation's scale."""
    return name(path).rsplit("/", 1)[-1] not in ("bias", "recurrent_bias", "scale")
