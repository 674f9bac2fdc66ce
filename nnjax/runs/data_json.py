"""What a run knows of its data, ``data.json``: shapes, sizes, classes and vocabularies.

With it a trained model can be used where the data is not, and data that has changed since, such as
another vocabulary, is refused before it meets the parameters.
"""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from nnjax.data.checks import path_name
from nnjax.data.dataset import SPLITS, Known, Spec
from nnjax.errors import UserError
from nnjax.runs import config_json

OPTIONS = ("preprocess", "vocabulary", "target_vocabulary")


def to_json(data: Known) -> dict[str, Any]:
    """Describes data as a dictionary that ``json`` can write.

    Args:
      data: a data set, a stream, or the specification of one.
    """
    # A stream of somebody's own may lack some.
    options = {name: getattr(data, name, None) for name in OPTIONS}
    return {
        "stored": jax.tree.map(
            lambda one: {"shape": list(one.shape), "dtype": str(one.dtype)}, dict(data.stored)
        ),
        "sizes": {name: data.size(name) for name in SPLITS if data.size(name)},
        "classes": data.classes and list(data.classes),
        **{name: value and config_json.to_json(value) for name, value in options.items()},
    }


def from_json(saved: Mapping[str, Any], *, trust: bool = False) -> Spec:
    """The specification that :func:`to_json` described.

    Args:
      saved: the dictionary.
      trust: as in :func:`nnjax.runs.config_json.from_json`.

    Raises:
      UserError: something is missing from it, or no description of data.
    """
    try:
        options = {
            name: saved[name] and config_json.from_json(saved[name], trust=trust)
            for name in OPTIONS
        }
        classes = saved["classes"]
        return Spec(
            stored={name: _struct(value) for name, value in saved["stored"].items()},
            sizes=dict(saved["sizes"]),
            classes=None if classes is None else tuple(classes),
            **options,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"this is no description of data: {error!r}") from error


def _struct(saved: Mapping[str, Any]) -> Any:
    if set(saved) == {"shape", "dtype"}:
        return jax.ShapeDtypeStruct(tuple(saved["shape"]), np.dtype(saved["dtype"]))
    return {name: _struct(value) for name, value in saved.items()}


def check_same(saved: Known, data: Known, *, sizes: bool) -> None:
    """Refuses data that is not what a run was trained on, as far as a description can tell.

    Args:
      saved: what the run knows of its data.
      data: the data at hand.
      sizes: whether the number of examples matters, as it does to a run that goes on.

    Raises:
      UserError: examples, classes, vocabulary or sizes differ.
    """
    remedy = "restore the data that the run began with, or train anew"
    for name, before, now in _compared(saved, data):
        if before != now:
            raise UserError(f"the data has {now} {name}, the run was trained on {before}; {remedy}")
    for name in ("vocabulary", "target_vocabulary"):
        before, now = getattr(saved, name), getattr(data, name, None)
        if before is not None and now is not None:
            now.check(before)
    for split in SPLITS if sizes else ():
        before, now = saved.size(split), data.size(split)
        if before != now:
            raise UserError(
                f"the {split} split has {now:,} examples, the run began with {before:,}; {remedy}"
            )


def _compared(saved: Known, data: Known) -> list[tuple[str, Any, Any]]:
    """What must be equal, with a name for the message."""
    return [
        ("as an example", _shapes(saved), _shapes(data)),
        ("as classes", saved.classes, data.classes),
    ]


def _shapes(data: Known) -> str:
    leaves = jax.tree.leaves_with_path(dict(data.stored))
    return ", ".join(f"{path_name(path)} {one.shape}" for path, one in leaves)
