"""Weights of ``torch.nn.RNN``, ``LSTM`` and ``GRU``."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nnjax.errors import UserError
from nnjax.interchange.cells import (
    Arrays,
    biases_in,
    biases_out,
    check_all_used,
    check_module,
    checked_shape,
    of_layer,
)
from nnjax.layers.cells import GRUCell
from nnjax.layers.recurrence.recurrent import Recurrent


def from_torch(recurrent: Recurrent, state: Arrays) -> dict[str, dict[str, np.ndarray]]:
    """Parameters for ``recurrent`` of the weights of a PyTorch layer of the same shape.

    PyTorch keeps two bias vectors a layer: a cell with ``bias="double"`` takes them as they are,
    one with "single" their sum, where that is the same.

    Args:
      recurrent: with the cell, layers and direction of the PyTorch layer.
      state: its ``state_dict()``, as NumPy arrays: ``weight_ih_l0`` and so on.

    Returns:
      ``params``, for ``recurrent.apply({"params": params}, ...)``.

    Raises:
      UserError: a weight is missing, of another shape or of another layer, or PyTorch has no such
        cell.
    """
    cell = recurrent.cell
    _check(recurrent)
    packed = len(cell.gate_names) * cell.units
    params = {}
    for name, suffix in _names(recurrent):
        kernel = _weight(state, f"weight_ih_{suffix}", (packed, None))
        again = _weight(state, f"weight_hh_{suffix}", (packed, cell.units))
        biases = [
            _weight(state, f"bias_{part}_{suffix}", (packed,))
            if f"bias_{part}_{suffix}" in state
            else None
            for part in ("ih", "hh")
        ]
        params[name] = {"kernel": kernel.T, "recurrent_kernel": again.T}
        params[name] |= biases_in(cell, f"bias_hh_{suffix}", *biases)
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    known = {f"{kind}_{suffix}" for kind in kinds for _, suffix in _names(recurrent)}
    check_all_used((name for name in state if name.startswith(kinds)), known)
    return params


def to_torch(recurrent: Recurrent, params: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The opposite of ``from_torch``: a ``state_dict`` of NumPy arrays.

    Args:
      recurrent: the module of the parameters.
      params: its parameters.

    Returns:
      Weights by PyTorch's names. Of a "single" bias the second vector is zero.

    Raises:
      UserError: PyTorch has no such cell, or the parameters are another module's.
    """
    _check(recurrent)
    check_all_used(params, [name for name, _ in _names(recurrent)])
    state = {}
    for name, suffix in _names(recurrent):
        layer = of_layer(params, name)
        state[f"weight_ih_{suffix}"] = np.ascontiguousarray(layer["kernel"].T)
        state[f"weight_hh_{suffix}"] = np.ascontiguousarray(layer["recurrent_kernel"].T)
        for part, bias in zip(("ih", "hh"), biases_out(layer), strict=True):
            if bias is not None:
                state[f"bias_{part}_{suffix}"] = bias
    return state


def _check(recurrent: Recurrent) -> None:
    cell = recurrent.cell
    check_module(recurrent, "PyTorch")
    if isinstance(cell, GRUCell) and cell.reset != "after":
        raise UserError("PyTorch's GRU resets after the product: set the cell's reset to 'after'")
    if recurrent.direction == "backward":
        raise UserError("PyTorch has no layer that goes backwards alone: use 'bidirectional'")
    merge_differs = recurrent.direction == "bidirectional" and recurrent.merge != "concatenate"
    if merge_differs and recurrent.layers > 1:
        raise UserError(
            f"PyTorch concatenates the directions between layers: merge is '{recurrent.merge}'"
        )


def _names(recurrent: Recurrent) -> list[tuple[str, str]]:
    """The name of each layer and direction here, and the end of its weights' names there."""
    ends = {"forward": "", "backward": "_reverse"}
    return [
        (f"{way}{layer}", f"l{layer - 1}{ends[way]}") for layer, way in recurrent.layer_directions()
    ]


def _weight(state: Arrays, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    if name not in state:
        raise UserError(f"there is no weight '{name}' among {', '.join(state)}")
    return checked_shape(name, state[name], shape)
