"""Trees of parameters: names, counts, sizes, and which parameters are weights."""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp


def name(path: tuple[Any, ...]) -> str:
    """Returns the name of the leaf at a key path, such as ``"hidden1/kernel"``."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def names(params: Any) -> list[str]:
    """Returns the name of every leaf, in the order of ``jax.tree.leaves``."""
    return [name(path) for path, _ in jax.tree.leaves_with_path(params)]


def count(params: Any) -> int:
    """Returns the number of parameters, given arrays or their shapes."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


def size_in_bytes(tree: Any) -> int:
    """Returns the bytes that arrays take in memory, given the arrays or their shapes and dtypes."""
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def dtype_of(module: nn.Module) -> Any:
    """Returns the dtype of a module's parameters; float32 while it is initialised.

    A module whose inputs are integer ids computes in this dtype.
    """
    leaves = jax.tree.leaves(module.variables.get("params", {}))
    return leaves[0].dtype if leaves else jnp.float32


def is_weight(path: tuple[Any, ...]) -> bool:
    """Whether the leaf at a key path is a weight: not a bias, nor a normalisation's scale."""
    return name(path).rsplit("/", 1)[-1] not in ("bias", "recurrent_bias", "scale")
