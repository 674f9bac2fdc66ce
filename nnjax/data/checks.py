"""Checks of the arrays that make a split."""

import os
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from nnjax.data.labels import check_labels, narrow
from nnjax.errors import UserError

NOISE = 1e-12
"""Relative to a constant, the largest spread that comes from rounding in 64 bits alone."""

SUBTRACT = "subtract a constant, such as the mean, from them before they are stored"

PLAIN = (np.ndarray, np.memmap)
"""The array types of NumPy that JAX takes: neither masked arrays nor matrices."""


def check_arrays(split: Mapping[str, Any], name: str) -> None:
    """Refuses a split unless it holds inputs, targets and other arrays of numbers of one length.

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
            # JAX would wrap integers that 32 bits cannot hold around.
            narrow(np.asarray(array), where)
    sizes = {path_name(path): len(array) for path, array in leaves}
    if len(set(sizes.values())) != 1:
        raise UserError(f"the arrays of split '{name}' differ in length: {sizes}")


def _is_examples(array: Any) -> bool:
    is_array = isinstance(array, jax.Array) or type(array) in PLAIN
    # bfloat16 and other dtypes that NumPy itself lacks are of kind V.
    return is_array and array.ndim > 0 and array.dtype.kind in "biufV" and _is_taken(array.dtype)


def _is_taken(dtype: np.dtype) -> bool:
    """Whether JAX takes an array of this dtype without conversion."""
    return dtype.isnative and dtype.itemsize <= 8


def check_targets(split: Mapping[str, Any], classes: int, name: str) -> None:
    """Refuses a label that is none of the classes.

    Targets with more axes belong to sequences, where -1 is padding. Labels of masked examples are
    not checked.

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


def keeps_digits(numbers: np.ndarray) -> np.ndarray:
    """Whether 32 bits hold each feature of some numbers well enough, bool (features,).

    They do not where rounding moves a number by a thousandth of the feature's standard deviation,
    or makes most of its different numbers equal, as it does to times in milliseconds. A feature
    that is constant but for the rounding of 64 bits is held well enough.

    Args:
      numbers: real numbers (n, ..., features), or (n,) of one feature.
    """
    columns = numbers.reshape(-1, numbers.shape[-1] if numbers.ndim > 1 else 1)
    wide = columns.astype(np.float64)
    finite = np.isfinite(wide)
    if not finite.all():
        # Under a mask anything may be stored; the mean in its place changes no result.
        total, count = np.where(finite, wide, 0).sum(axis=0), finite.sum(axis=0)
        wide = np.where(finite, wide, total / np.maximum(count, 1))
    with np.errstate(over="ignore"):
        rounding = np.abs(wide - wide.astype(np.float32)).max(axis=0, initial=0)
    if not rounding.any():
        return np.ones(columns.shape[1], bool)
    spread = wide.std(axis=0)
    is_noise = spread <= NOISE * np.abs(wide).max(axis=0)
    keeps = is_noise | (rounding <= spread / 1000)
    # Half of the numbers can coincide only where rounding is coarser than the gaps between them.
    for place in np.flatnonzero(keeps & ~is_noise & (rounding > spread / len(wide))):
        column = wide[:, place]
        different = len(np.unique(column.astype(np.float32)))
        keeps[place] = 2 * different > len(np.unique(column))
    return keeps


def check_digits(array: Any, where: str, advice: str = SUBTRACT) -> None:
    """Refuses 64-bit numbers, or integers, that are equal or coarse once they are 32-bit floats.

    Args:
      array: of examples.
      where: describes the array in the message.
      advice: what the message says is to be done.

    Raises:
      UserError: names the feature.
    """
    # Fewer than 24 bits always fit; arrays of JAX have been rounded before.
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf":
        return
    if array.dtype.itemsize < (8 if array.dtype.kind == "f" else 4):
        return
    coarse = np.flatnonzero(~keeps_digits(array))
    if coarse.size:
        feature = f"feature {coarse[0]} of " if array.ndim > 1 and array.shape[-1] > 1 else ""
        raise UserError(f"{feature}{where} holds numbers that 32 bits cannot tell apart; {advice}")


def path_name(path: Any) -> str:
    """The name of an array in a batch, such as ``inputs`` or ``inputs.source``."""
    return ".".join(str(part.key) for part in path)
