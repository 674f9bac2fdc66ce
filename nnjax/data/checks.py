"""Checks of the arrays that make a split."""

import os
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from nnjax.data.labels import check_labels, narrow
from nnjax.errors import UserError

PLAIN = (np.ndarray, np.memmap)
"""The arrays of NumPy that JAX takes; neither masked ones nor matrices."""


def check_arrays(split: Mapping[str, Any], name: str) -> None:
    """Refuses a split that is not arrays of numbers of one length, inputs and targets among them.

    Raises:
      UserError: names the split and what is wrong with it.
    """
    if not {"inputs", "targets"} <= set(split):
        raise UserError(
            f"split '{name}' must hold the arrays inputs and targets; it holds {', '.join(split)}"
        )
    leaves = jax.tree.leaves_with_path(
        dict(split), is_leaf=lambda part: not isinstance(part, Mapping)
    )
    for path, array in leaves:
        where = f"'{path_name(path)}' of split '{name}'"
        if not _is_examples(array):
            plain = type(array) in PLAIN or isinstance(array, jax.Array)
            found = array.dtype if plain else f"a {type(array).__name__}"
            raise UserError(
                f"{where} is {found}; it must be an array of real numbers of at most 64 bits, in "
                "the byte order of this machine, its first axis the examples"
            )
        if 0 in array.shape[1:]:
            raise UserError(f"{where} has examples of shape {array.shape[1:]}: of no numbers")
        if array.dtype.kind in "iu" and array.dtype.itemsize > 4:
            # JAX would wrap around what 32 bits cannot hold.
            narrow(np.asarray(array), where)
    sizes = {path_name(path): len(array) for path, array in leaves}
    if len(set(sizes.values())) != 1:
        raise UserError(f"the arrays of split '{name}' differ in length: {sizes}")


def _is_examples(array: Any) -> bool:
    is_array = isinstance(array, jax.Array) or type(array) in PLAIN
    # Kind V are the numbers of 16 bits that NumPy itself does not know.
    return is_array and array.ndim > 0 and array.dtype.kind in "biufV" and _is_taken(array.dtype)


def _is_taken(dtype: np.dtype) -> bool:
    """Whether JAX takes numbers as they lie in memory."""
    return dtype.isnative and dtype.itemsize <= 8


def check_targets(split: Mapping[str, Any], classes: int, name: str) -> None:
    """Refuses a label that is none of the classes.

    Targets with more axes are of sequences, where -1 is padding, and under a mask any may be.

    Raises:
      UserError: names the split and the first such label.
    """
    targets = np.asarray(split["targets"])
    if targets.ndim == 1 and targets.dtype.kind in "iu" and "mask" not in split:
        check_labels(targets, classes, f"split '{name}'")


def check_memory(needed: int, where: object) -> None:
    """Refuses data that takes more memory than this machine has, before the memory is taken.

    Args:
      needed: bytes.
      where: names the data in the message.

    Raises:
      UserError: there is not so much memory.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory:
        raise UserError(
            f"{where} takes {needed / 1e9:,.1f} GB in memory, and this machine has "
            f"{memory / 1e9:,.1f} GB"
        )


def path_name(path: Any) -> str:
    """The name of an array in a batch, such as ``inputs`` or ``inputs.source``."""
    return ".".join(str(part.key) for part in path)
