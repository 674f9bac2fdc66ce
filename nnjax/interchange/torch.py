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
    input_widths,
    layer_params,
)
from nnjax.layers.cells import GRUCell
from nnjax.layers.recurrence.recurrent import Recurrent


def from_torch(recurrent: Recurrent, state: Arrays) -> dict[str, dict[str, np.ndarray]]:
    """Returns the parameters of ``recurrent`` that compute what the PyTorch layer computes.

    PyTorch keeps two bias vectors a layer: a cell with ``bias="double"`` takes them as they are,
    one with "single" their sum, if that computes the same.

    Args:
      recurrent: with the cell, layers and direction of the PyTorch layer.
      state: its ``state_dict()``, as NumPy arrays or CPU tensors: ``weight_ih_l0`` and so on.

    Returns:
      ``params``, for ``recurrent.apply({"params": params}, ...)``; float16 becomes float32.

    Raises:
      UserError: a weight is missing, of another shape or of another layer, or no array of floats;
        or PyTorch has no such cell.

    Example:
      >>> import numpy as np
      >>> from nnjax.interchange import from_torch
      >>> from nnjax.layers import LSTMCell, Recurrent
      >>> state = {"weight_ih_l0": np.ones((8, 3)), "weight_hh_l0": np.ones((8, 2))}
      >>> from_torch(Recurrent(LSTMCell(2)), state)["forward1"]["kernel"].shape
      (3, 8)
    """
    _check(recurrent)
    if not isinstance(state, Mapping):
        raise UserError(f"from_torch takes layer.state_dict(), not {type(state).__name__}")
    if any(name.startswith("weight_hr_") for name in state):
        raise UserError(
            "the weights are of an LSTM with proj_size, a projection that nnjax does not have: "
            "train one without proj_size"
        )
    cell, widths = recurrent.cell, input_widths(recurrent)
    packed = len(cell.gate_names) * cell.units
    params = {}
    for (layer, _), (name, suffix) in zip(
        recurrent.layer_directions(), _names(recurrent), strict=True
    ):
        kernel = _weight(state, f"weight_ih_{suffix}", (packed, widths[layer - 1]))
        recurrent_kernel = _weight(state, f"weight_hh_{suffix}", (packed, cell.units))
        biases = [
            _weight(state, f"bias_{part}_{suffix}", (packed,))
            if f"bias_{part}_{suffix}" in state
            else None
            for part in ("ih", "hh")
        ]
        params[name] = {"kernel": kernel.T, "recurrent_kernel": recurrent_kernel.T}
        params[name] |= biases_in(cell, f"bias_hh_{suffix}", *biases)
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    known = {f"{kind}_{suffix}" for kind in kinds for _, suffix in _names(recurrent)}
    check_all_used((name for name in state if name.startswith(kinds)), known)
    return params


def to_torch(recurrent: Recurrent, params: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Returns a PyTorch ``state_dict`` of NumPy arrays: the inverse of ``from_torch``.

    Args:
      recurrent: the module of the parameters.
      params: its parameters.

    Returns:
      Weights by PyTorch's names. Of a "single" bias the second vector is zero; bfloat16 and float16
      become float32.

    Raises:
      UserError: PyTorch has no such cell, or the parameters are another module's.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from nnjax.interchange import to_torch
      >>> from nnjax.layers import LSTMCell, Recurrent
      >>> recurrent = Recurrent(LSTMCell(2))
      >>> variables = jax.jit(recurrent.init)(jax.random.key(0), jnp.ones((1, 4, 3)))
      >>> to_torch(recurrent, variables["params"])["weight_ih_l0"].shape
      (8, 3)
    """
    _check(recurrent)
    state = {}
    layers = layer_params(recurrent, params).values()
    for (_, suffix), layer in zip(_names(recurrent), layers, strict=True):
        state[f"weight_ih_{suffix}"] = np.ascontiguousarray(layer["kernel"].T)
        state[f"weight_hh_{suffix}"] = np.ascontiguousarray(layer["recurrent_kernel"].T)
        for part, bias in zip(("ih", "hh"), biases_out(layer), strict=True):
            if bias is not None:
                state[f"bias_{part}_{suffix}"] = bias
    return state


def _check(recurrent: Recurrent) -> None:
    """Raises unless one PyTorch layer can express the module."""
    check_module(recurrent, "PyTorch")
    cell = recurrent.cell
    if isinstance(cell, GRUCell) and cell.reset != "after":
        raise UserError("PyTorch's GRU resets after the product: set the cell's reset to 'after'")
    if recurrent.direction == "backward":
        raise UserError("PyTorch has no layer that goes backwards alone: use 'bidirectional'")
    merge_differs = recurrent.direction == "bidirectional" and recurrent.merge != "concatenate"
    if merge_differs and recurrent.layers > 1:
        raise UserError(
            "PyTorch concatenates the directions between layers: set merge to 'concatenate', not "
            f"'{recurrent.merge}'"
        )


def _names(recurrent: Recurrent) -> list[tuple[str, str]]:
    """The name of each layer and direction, with the suffix of its weights' names in PyTorch."""
    suffixes = {"forward": "", "backward": "_reverse"}
    return [
        (f"{way}{layer}", f"l{layer - 1}{suffixes[way]}")
        for layer, way in recurrent.layer_directions()
    ]


def _weight(state: Arrays, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """The weight of that name, checked."""
    if name in state:
        return checked_shape(name, state[name], shape)
    longer = next((key for key in state if key.endswith(f".{name}")), None)
    if longer is not None:
        raise UserError(
            f"there is no weight '{name}', but '{longer}': give the state_dict of the layer "
            f"{longer.removesuffix(f'.{name}')} alone"
        )
    raise UserError(
        f"there is no weight '{name}' among {', '.join(state) or 'no weights'}: give the "
        "state_dict of an RNN, LSTM or GRU with as many layers as the module"
    )
