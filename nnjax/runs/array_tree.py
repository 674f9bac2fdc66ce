"""A pytree of arrays as NumPy arrays by name, described in JSON, and back onto the devices."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from nnjax.distributed import devices
from nnjax.errors import UserError

Arrays = dict[tuple[str, ...], np.ndarray]
"""Arrays by their path in the tree, such as ("state", "params", "output", "kernel")."""


def copy_to_host(tree: Any) -> Arrays:
    """Copies every leaf to the host; a typed PRNG key becomes its uint32 data.

    Collective: every process must call this, because it gathers arrays of several processes.
    """
    tree = devices.gathered(tree)
    leaves = {p: jax.random.key_data(x) if _is_key(x) else x for p, x in _leaves_by_path(tree)}
    # On a CPU `device_get` returns a view, and the donation of the array would overwrite it.
    return {path: np.array(array) for path, array in jax.device_get(leaves).items()}


def describe(tree: Any, arrays: Arrays) -> dict[str, dict[str, Any]]:
    """Returns path, dtype and shape of each leaf by its name, as JSON can hold them.

    Args:
      tree: the leaves as they are on the devices.
      arrays: the same leaves, copied to the host.
    """
    return {
        "/".join(path): {
            "path": path,
            "is": _dtype_and_shape(leaf),
            "key_impl": str(jax.random.key_impl(leaf)) if _is_key(leaf) else None,
            "stored_shape": arrays[path].shape,
            "stored_dtype": arrays[path].dtype.name,
        }
        for path, leaf in _leaves_by_path(tree)
    }


def empty_arrays(description: Mapping[str, Any]) -> Arrays:
    """Returns uninitialised arrays of the paths, dtypes and shapes that :func:`describe` wrote."""
    return {
        tuple(leaf["path"]): np.empty(leaf["stored_shape"], leaf["stored_dtype"])
        for leaf in description.values()
    }


def nest(arrays: Arrays) -> dict[str, Any]:
    """Returns nested dictionaries for Orbax, without empty arrays, which Orbax does not store."""
    return traverse_util.unflatten_dict({p: array for p, array in arrays.items() if array.size})


def flatten(nested: Mapping[str, Any]) -> Arrays:
    """Returns the arrays of nested dictionaries by their paths: the inverse of :func:`nest`."""
    return traverse_util.flatten_dict(nested)  # pyright: ignore[reportReturnType]


def names(tree: Any) -> set[str]:
    """The names that :func:`describe` gives the leaves of a tree."""
    return {"/".join(path) for path, _ in _leaves_by_path(tree)}


def check_same(checkpoint: str, abstract: Any, description: Mapping[str, Any]) -> None:
    """Checks that a checkpoint holds the arrays of a tree.

    Args:
      checkpoint: names the checkpoint in the error.
      abstract: the wanted tree, of ``jax.ShapeDtypeStruct`` or arrays.
      description: of the saved tree, see :func:`describe`.

    Raises:
      UserError: a leaf is missing, is left over, or has another dtype or shape.
    """
    saved = {name: leaf["is"] for name, leaf in description.items()}
    wanted = {"/".join(path): _dtype_and_shape(leaf) for path, leaf in _leaves_by_path(abstract)}
    for name in sorted(saved.keys() | wanted.keys()):
        if saved.get(name) != wanted.get(name):
            raise UserError(
                f"{checkpoint} is of another config: '{name}' is {saved.get(name, 'not in it')}, "
                f"and {wanted.get(name, 'nothing')} in this one"
            )


def place(abstract: Any, arrays: Arrays, description: Mapping[str, Any]) -> Any:
    """Returns the arrays as a tree, each placed by the ``sharding`` of its abstract leaf."""

    def put(path: tuple[str, ...], leaf: Any) -> jax.Array:
        value = arrays[path]
        if _is_key(leaf):
            implementation = description["/".join(path)]["key_impl"]
            value = jax.random.wrap_key_data(jnp.asarray(value), impl=implementation)
        return devices.put(value, getattr(leaf, "sharding", None))

    return jax.tree.unflatten(
        jax.tree.structure(abstract), [put(path, leaf) for path, leaf in _leaves_by_path(abstract)]
    )


def _leaves_by_path(tree: Any) -> list[tuple[tuple[str, ...], Any]]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    named = [
        (tuple(jax.tree_util.keystr((k,), simple=True) for k in path), x) for path, x in leaves
    ]
    if len({"/".join(path) for path, _ in named}) < len(named):
        raise ValueError("two leaves of the tree have the same name")
    return named


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _dtype_and_shape(leaf: Any) -> str:
    """Dtype and shape, such as ``float32[784,30]``."""
    return f"{leaf.dtype}[{','.join(map(str, leaf.shape))}]"
