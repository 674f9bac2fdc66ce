"""Data brought to the form that a trained model expects: its classes, statistics and lengths."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from nnjax.data.checks import path_name
from nnjax.data.preprocessing import Preprocess
from nnjax.errors import UserError, nearest

ADVICE = "restore the data that the model was trained with, or train anew"


def label_map(trained: Sequence[str] | None, present: Sequence[str] | None) -> np.ndarray | None:
    """The label that a model has for each label of some data.

    Args:
      trained: the classes of the model, in the order of its outputs; None for a regression.
      present: the classes of the data, in the order of its labels; None for a regression.

    Returns:
      int32 (classes of the data,); None where labels stay as they are.

    Raises:
      UserError: the data has a class that the model does not have, or one of the two is a
        regression and the other is not.
    """
    if (trained is None) != (present is None):
        kinds = [
            "numbers to predict" if classes is None else f"{len(classes)} classes"
            for classes in (present, trained)
        ]
        raise UserError(f"the data has {kinds[0]}, the model was trained on {kinds[1]}; {ADVICE}")
    if trained is None or present is None or tuple(trained) == tuple(present):
        return None
    places = {name: place for place, name in enumerate(trained)}
    for name in present:
        if name not in places:
            raise UserError(
                f"the data has a class '{name}', which is none of the {len(places)} classes that "
                f"the model was trained on{nearest(name, places)}; {ADVICE}"
            )
    return np.array([places[name] for name in present], np.int32)


def relabel(targets: Any, labels: np.ndarray | None) -> Any:
    """Targets of any shape with each label replaced by ``labels[label]``; -1 is padding and stays.

    Args:
      targets: integers of any shape.
      labels: int32 (classes,), as :func:`label_map` returns it; None changes nothing.
    """
    if labels is None:
        return targets
    targets = np.asarray(targets)
    return np.where(targets < 0, targets, labels[np.maximum(targets, 0)]).astype(np.int32)


def check_inputs(
    trained: Mapping[str, Any], present: Mapping[str, Any], preprocess: Preprocess | None
) -> None:
    """Refuses examples of another shape, or numbers that would be scaled by another factor.

    Args:
      trained: shape and dtype of one example that the model was trained on, by the array's name.
      present: the same of the data at hand.
      preprocess: of the model.

    Raises:
      UserError: names the shapes or dtypes that differ.
    """
    before, now = _shapes(trained), _shapes(present)
    if before != now:
        raise UserError(
            f"the data has {_text(now)} as an example, the model was trained on {_text(before)}; "
            f"{ADVICE}"
        )
    if preprocess is None or isinstance(trained["inputs"], Mapping):
        return
    dtypes = [np.dtype(one["inputs"].dtype) for one in (present, trained)]
    if preprocess.factor(dtypes[0]) != preprocess.factor(dtypes[1]):
        raise UserError(
            f"the inputs are {dtypes[0]}, the model was trained on {dtypes[1]}, which is scaled by "
            "another factor; store them as the training data was stored"
        )


def rebase(
    inputs: np.ndarray, present: Preprocess | None, trained: Preprocess | None
) -> np.ndarray:
    """Stored inputs with the model's ``offset`` subtracted from them instead of their own."""
    offsets = [() if one is None else one.offset for one in (present, trained)]
    if offsets[0] == offsets[1]:
        return inputs
    own, wanted = (np.asarray(offset or (0.0,), np.float64) for offset in offsets)
    return (np.asarray(inputs, np.float64) + (own - wanted)).astype(np.float32)


def lengthen(arrays: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Pads ids (n, length) with -1 up to the lengths that a model was trained on.

    Args:
      arrays: of a split.
      stored: shape and dtype of one example that the model was trained on, by the array's name.
    """

    def pad(path: Any, array: Any) -> Any:
        one = wanted.get(path_name(path))
        is_ids = array.ndim == 2 and np.issubdtype(array.dtype, np.signedinteger)
        if one is None or not is_ids or len(one.shape) != 1 or one.shape[0] <= array.shape[1]:
            return array
        missing = one.shape[0] - array.shape[1]
        return np.pad(np.asarray(array), ((0, 0), (0, missing)), constant_values=-1)

    leaves = jax.tree.leaves_with_path(dict(stored))
    wanted = {path_name(path): one for path, one in leaves}
    return jax.tree.map_with_path(pad, dict(arrays))


def _shapes(stored: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    leaves = jax.tree.leaves_with_path(
        {name: stored[name] for name in ("inputs", "targets") if name in stored}
    )
    return {path_name(path): tuple(one.shape) for path, one in leaves}


def _text(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())
