"""Weights of ``keras.layers.SimpleRNN``, ``LSTM`` and ``GRU``."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnjax.errors import UserError
from nnjax.interchange.cells import (
    biases_in,
    biases_out,
    check_all_used,
    check_module,
    checked_shape,
    of_layer,
)
from nnjax.layers.cells import GRUCell
from nnjax.layers.recurrence.recurrent import Recurrent


def from_keras(
    recurrent: Recurrent, layers: Sequence[Sequence[np.ndarray]]
) -> dict[str, dict[str, np.ndarray]]:
    """Parameters for ``recurrent`` of the weights of Keras layers of the same shape.

    Keras's GRU with ``reset_after=True`` has two bias vectors a layer: a cell with
    ``bias="double"`` takes them as they are. Elsewhere Keras has one, and so "single" fits.

    Args:
      recurrent: with the cell and direction of the Keras layers, and as many layers.
      layers: ``layer.get_weights()`` of each layer; a ``Bidirectional`` one has the weights of the
        forward direction first.

    Returns:
      ``params``, for ``recurrent.apply({"params": params}, ...)``.

    Raises:
      UserError: a number of layers or weights or a shape does not fit, or Keras has no such cell.
    """
    cell = recurrent.cell
    check_module(recurrent, "Keras")
    if len(layers) != recurrent.layers:
        raise UserError(
            f"there are weights of {len(layers)} layers for a module of {recurrent.layers}"
        )
    ways = [way for layer, way in recurrent.layer_directions() if layer == 1]
    params = {}
    for layer, arrays in enumerate(layers, start=1):
        count, rest = divmod(len(arrays), len(ways))
        if rest or count not in (2, 3):
            raise UserError(
                f"layer {layer} has {len(arrays)} weights, not 2 or 3 a direction: "
                "give get_weights() of a SimpleRNN, LSTM or GRU, alone or in a Bidirectional"
            )
        for place, way in enumerate(ways):
            own = arrays[place * count : (place + 1) * count]
            params[f"{way}{layer}"] = _in(cell, f"{way} direction of layer {layer}", own)
    return params


def to_keras(recurrent: Recurrent, params: Mapping[str, Any]) -> list[list[np.ndarray]]:
    """The opposite of ``from_keras``: for each layer, what ``layer.set_weights`` takes.

    Args:
      recurrent: the module of the parameters.
      params: its parameters.

    Raises:
      UserError: Keras has no such cell, or the parameters are another module's.
    """
    check_module(recurrent, "Keras")
    check_all_used(params, [f"{way}{layer}" for layer, way in recurrent.layer_directions()])
    layers: list[list[np.ndarray]] = [[] for _ in range(recurrent.layers)]
    for layer, way in recurrent.layer_directions():
        layers[layer - 1] += _out(recurrent.cell, of_layer(params, f"{way}{layer}"))
    return layers


def _in(cell: Any, name: str, arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    units, packed = cell.units, len(cell.gate_names) * cell.units
    kernel = checked_shape(f"kernel of the {name}", arrays[0], (None, packed))
    again = checked_shape(f"recurrent kernel of the {name}", arrays[1], (units, packed))
    biases: list[np.ndarray | None] = [None, None]
    if len(arrays) == 3:
        shape = (2, packed) if _two_biases(cell) else (packed,)
        given = checked_shape(f"bias of the {name}", arrays[2], shape).reshape(-1, packed)
        biases = [_reordered(cell, row) for row in given] + [None] * (2 - len(given))
    params = {
        "kernel": _reordered(cell, kernel),
        "recurrent_kernel": _reordered(cell, again),
    }
    return params | biases_in(cell, f"bias of the {name}", *biases)


def _out(cell: Any, params: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    arrays = [_reordered(cell, params[name]) for name in ("kernel", "recurrent_kernel")]
    first, second = biases_out(params)
    if first is None or second is None:
        return arrays
    first, second = _reordered(cell, first), _reordered(cell, second)
    return [*arrays, np.stack([first, second]) if _two_biases(cell) else first + second]


def _two_biases(cell: Any) -> bool:
    return isinstance(cell, GRUCell) and cell.reset == "after"


def _reordered(cell: Any, packed: np.ndarray) -> np.ndarray:
    """Between the order of gates here and in Keras, whose GRU has z before r."""
    if not isinstance(cell, GRUCell):
        return np.ascontiguousarray(packed)
    one, two, three = np.split(packed, 3, axis=-1)
    return np.concatenate([two, one, three], axis=-1)
