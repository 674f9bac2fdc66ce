"""What a run records of its data, ``data.json``: all that its trained model needs of it.

The record holds the shapes, sizes, classes, vocabularies, preprocessing and maximum length of the
training data. With it a trained model can be used where the data is not, and other data can be
brought to the form that the model expects (:func:`nnjax.data.conform`) or is refused.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nnjax.data.checks import path_name
from nnjax.data.dataset import SPLITS, Described, Known, Spec
from nnjax.data.preprocessing import Preprocess
from nnjax.errors import UserError
from nnjax.runs import config_json

OPTIONS = {
    "preprocess": ("__call__",),
    "vocabulary": ("check", "__len__"),
    "target_vocabulary": ("check", "__len__"),
}
"""Attributes of the data that are saved as configs, with the methods that each must have."""

ROUNDING = 1e-6
"""How far statistics of the same data may differ between two computers, in standard deviations."""

ADVICE = "restore the data that the run began with, or train anew"


def to_json(data: Known) -> dict[str, Any]:
    """Describes data as a dictionary that ``json`` can write.

    Args:
      data: a data set, a stream, or the specification of one.

    Example:
      >>> from nnjax.data import Circles
      >>> from nnjax.runs import data_json
      >>> data_json.to_json(Circles().load())["stored"]["inputs"]
      {'shape': [2], 'dtype': 'float32'}
    """
    # A stream defined by a user may lack some of the options.
    options = {name: getattr(data, name, None) for name in OPTIONS}
    return {
        "stored": jax.tree.map(
            lambda one: {"shape": list(one.shape), "dtype": str(one.dtype)}, dict(data.stored)
        ),
        "sizes": {name: data.size(name) for name in SPLITS if data.size(name)},
        "classes": data.classes and list(data.classes),
        **{name: value and config_json.to_json(value) for name, value in options.items()},
        "preprocessed": getattr(data, "preprocessed", None),
        "maximum_length": getattr(data, "maximum_length", None),
        "complete": _is_complete(data),
    }


def from_json(saved: Mapping[str, Any], *, trust: bool = False) -> Spec:
    """Returns the specification that :func:`to_json` described.

    Args:
      saved: the dictionary.
      trust: as in :func:`nnjax.runs.config_json.from_json`.

    Raises:
      UserError: a field is missing or has another type.

    Example:
      >>> from nnjax.data import Circles
      >>> from nnjax.runs import data_json
      >>> data_json.from_json(data_json.to_json(Circles().load())).classes
      ('0', '1')
    """
    try:
        stored = _read_examples(saved["stored"])
        # Runs of version 0.1.0 lack this entry: their only such inputs are images with captions.
        captions = "source" if isinstance(stored["inputs"], Mapping) else None
        spec = Spec(
            stored=stored,
            sizes=_read_sizes(saved["sizes"]),
            classes=_read_classes(saved["classes"]),
            preprocessed=_read_name(saved.get("preprocessed", captions)),
            maximum_length=_read_length(saved.get("maximum_length")),
            complete=_read_flag(saved.get("complete")),
            **{name: _read_option(name, saved[name], trust) for name in OPTIONS},
        )
        if spec.complete:
            # The preprocessing must fit the shapes.
            spec.example()
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UserError(f"this is no description of data: {error!r:.200}") from error
    return spec


def _read_examples(saved: Mapping[str, Any]) -> dict[str, Any]:
    if "inputs" not in saved:
        raise ValueError("an example has no inputs")
    return {name: _read_stored(value) for name, value in saved.items()}


def _is_complete(data: Known) -> bool:
    """Whether a :class:`Spec` prepares batches as the data does."""
    cls = type(data)
    has_own_prepare = getattr(cls, "prepare", None) is not Described.prepare
    return not has_own_prepare or cls.__module__.partition(".")[0] == "nnjax"


def _read_stored(saved: Mapping[str, Any]) -> Any:
    """Shape and dtype of an array, or of several by name."""
    if set(saved) == {"shape", "dtype"}:
        shape, dtype = saved["shape"], jnp.dtype(saved["dtype"])
        if not all(type(size) is int and size >= 0 for size in shape):
            raise ValueError(f"a shape is {shape!r}")
        if not (jnp.issubdtype(dtype, jnp.number) or dtype == np.bool_):
            raise ValueError(f"a dtype is {dtype}")
        return jax.ShapeDtypeStruct(tuple(shape), dtype)
    return {name: _read_stored(value) for name, value in saved.items()}


def _read_sizes(saved: Mapping[str, Any]) -> dict[str, int]:
    for split, size in saved.items():
        if type(size) is not int or size < 0:
            raise ValueError(f"the size of {split} is {size!r}")
    return dict(saved)


def _read_classes(saved: Any) -> tuple[str, ...] | None:
    if saved is None:
        return None
    if not isinstance(saved, list) or not all(isinstance(name, str) for name in saved):
        raise ValueError(f"the classes are {saved!r:.60}")
    return tuple(saved)


def _read_name(saved: Any) -> str | None:
    if saved is not None and type(saved) is not str:
        raise ValueError(f"the preprocessed array is {saved!r}")
    return saved


def _read_length(saved: Any) -> int | None:
    if saved is not None and (type(saved) is not int or saved < 1):
        raise ValueError(f"the maximum length is {saved!r}")
    return saved


def _read_flag(saved: Any) -> bool | None:
    if saved is not None and type(saved) is not bool:
        raise ValueError(f"complete is {saved!r}")
    return saved


def _read_option(name: str, saved: Any, trust: bool) -> Any:
    if saved is None:
        return None
    option = config_json.from_json(saved, trust=trust)
    for method in OPTIONS[name]:
        if not hasattr(option, method):
            raise ValueError(f"the {name} is a {type(option).__name__}")
    if isinstance(option, Preprocess):
        numbers = [option.scale or 1.0, option.permutation_seed or 0]
        for values in (option.offset, option.mean, option.std):
            if not isinstance(values, tuple):
                raise ValueError(f"numbers of the {name} are {values!r:.60}")
            numbers.extend(values)
        for number in numbers:
            if type(number) not in (int, float):
                raise ValueError(f"a number of the {name} is {number!r:.60}")
    return option


def check_same(saved: Known, data: Known, *, sizes: bool) -> None:
    """Checks that data is what a run was trained on, as far as a description can tell.

    Args:
      saved: the data that the run was trained on.
      data: the data at hand.
      sizes: whether the numbers of examples must be the same, as for a run that goes on.

    Raises:
      UserError: examples, classes, vocabulary, preprocessing or sizes differ.

    Example:
      >>> from nnjax.data import Circles
      >>> from nnjax.runs import data_json
      >>> data = Circles().load()
      >>> data_json.check_same(data, data, sizes=True)
    """
    must_be_equal = [
        ("as an example", _shapes(saved), _shapes(data)),
        # A user may give the classes as a list.
        ("as classes", _as_tuple(saved.classes), _as_tuple(data.classes)),
    ]
    for name, before, now in must_be_equal:
        if before != now:
            raise UserError(f"the data has {now} {name}, the run was trained on {before}; {ADVICE}")
    for name in ("vocabulary", "target_vocabulary"):
        before, now = getattr(saved, name), getattr(data, name, None)
        if before is not None and now is not None:
            now.check(before)
    _check_preprocessing(*(getattr(one, "preprocess", None) for one in (saved, data)))
    for split in SPLITS if sizes else ():
        before, now = saved.size(split), data.size(split)
        if before != now:
            raise UserError(
                f"the {split} split has {now:,} examples, the run began with {before:,}; {ADVICE}"
            )


def _as_tuple(classes: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if classes is None else tuple(classes)


def _check_preprocessing(saved: Preprocess | None, now: Preprocess | None) -> None:
    """Refuses inputs that are scaled or standardised otherwise than those of the training.

    Raises:
      UserError: names the numbers that differ.
    """
    if saved is None or now is None:
        return
    for name in ("scale", "permutation_seed"):
        before, after = getattr(saved, name), getattr(now, name)
        if before != after:
            raise UserError(
                f"the data has the preprocessing {name}={after}, the run was trained with "
                f"{before}; {ADVICE}"
            )
    spread = max(saved.std, default=1.0)
    for name in ("std", "mean", "offset"):
        before, after = getattr(saved, name), getattr(now, name)
        same = len(before) == len(after)
        if not (same and np.allclose(before, after, ROUNDING, ROUNDING * spread)):
            pairs = enumerate(zip(before, after, strict=False))
            place = next((place for place, pair in pairs if pair[0] != pair[1]), 0)
            shown = [f"{one[place]:.6g}" if one else "none" for one in (after, before)]
            raise UserError(
                f"the inputs are preprocessed with the {name} {shown[0]}, the run was trained with "
                f"{shown[1]} (feature {place + 1}): the data has changed; {ADVICE}"
            )


def _shapes(data: Known) -> str:
    leaves = jax.tree.leaves_with_path(dict(data.stored))
    return ", ".join(f"{path_name(path)} {one.shape}" for path, one in leaves)
