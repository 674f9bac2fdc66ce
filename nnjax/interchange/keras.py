"""Weights of ``keras.layers.SimpleRNN``, ``LSTM`` and ``GRU``."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnjax.errors import UserError
from nnjax.interchange.cells import (
    biases_in,
    biases_out,
    check_module,
    checked_shape,
    input_widths,
    layer_params,
    resets_after,
)
from nnjax.layers.cells import GRUCell
from nnjax.layers.recurrence.recurrent import Recurrent


def from_keras(
    recurrent: Recurrent, layers: Sequence[Sequence[np.ndarray]]
) -> dict[str, dict[str, np.ndarray]]:
    """Returns the parameters of ``recurrent`` that compute what the Keras layers compute.

    Keras's GRU with ``reset_after=True`` has two bias vectors a layer, which a cell with
    ``bias="double"`` takes as they are. All other Keras layers have one, for ``bias="single"``.

    Args:
      recurrent: with the cell and direction of the Keras layers, and as many layers.
      layers: ``layer.get_weights()`` of each layer; a ``Bidirectional`` one has the weights of the
        forward direction first.

    Returns:
      ``params``, for ``recurrent.apply({"params": params}, ...)``; float16 becomes float32.

    Raises:
      UserError: the number of layers or of weights, or a shape, does not fit the module; a weight
        is no array of floats; or Keras has no such cell.

    Example:
      >>> import numpy as np
      >>> from nnjax.interchange import from_keras
      >>> from nnjax.layers import LSTMCell, Recurrent
      >>> weights = [np.ones((3, 8)), np.ones((2, 8)), np.zeros(8)]  # LSTM(2).get_weights()
      >>> from_keras(Recurrent(LSTMCell(2)), [weights])["forward1"]["kernel"].shape
      (3, 8)
    """
    check_module(recurrent, "Keras")
    if isinstance(layers, Mapping) or any(hasattr(arrays, "ndim") for arrays in layers):
        raise UserError("give a list with layer.get_weights() of each layer: [layer.get_weights()]")
    if len(layers) != recurrent.layers:
        raise UserError(
            f"there are weights of {len(layers)} layers for a module of {recurrent.layers}: "
            f"set layers to {len(layers)}, or give get_weights() of each layer"
        )
    ways = [way for layer, way in recurrent.layer_directions() if layer == 1]
    cell, params = recurrent.cell, {}
    for layer, (inputs, arrays) in enumerate(
        zip(input_widths(recurrent), layers, strict=True), start=1
    ):
        count, rest = divmod(len(arrays), len(ways))
        if rest or count not in (2, 3):
            raise UserError(
                f"layer {layer} has {len(arrays)} weights, not 2 or 3 a direction: "
                "give get_weights() of a SimpleRNN, LSTM or GRU, alone or in a Bidirectional"
            )
        for place, way in enumerate(ways):
            own = arrays[place * count : (place + 1) * count]
            params[f"{way}{layer}"] = _in(cell, f"{way} direction of layer {layer}", inputs, own)
    return params


def to_keras(recurrent: Recurrent, params: Mapping[str, Any]) -> list[list[np.ndarray]]:
    """Returns what ``layer.set_weights`` of each Keras layer takes: the inverse of ``from_keras``.

    Args:
      recurrent: the module of the parameters.
      params: its parameters.

    Returns:
      A list of arrays for each layer; bfloat16 and float16 become float32.

    Raises:
      UserError: Keras has no such cell, or the parameters are another module's.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from nnjax.interchange import to_keras
      >>> from nnjax.layers import LSTMCell, Recurrent
      >>> recurrent = Recurrent(LSTMCell(2))
      >>> variables = jax.jit(recurrent.init)(jax.random.key(0), jnp.ones((1, 4, 3)))
      >>> [weight.shape for weight in to_keras(recurrent, variables["params"])[0]]
      [(3, 8), (2, 8), (8,)]
    """
    check_module(recurrent, "Keras")
    layers: list[list[np.ndarray]] = [[] for _ in range(recurrent.layers)]
    for (layer, _), arrays in layer_params(recurrent, params).items():
        layers[layer - 1] += _out(recurrent.cell, arrays)
    return layers


def _in(
    cell: Any, name: str, inputs: int | None, arrays: Sequence[np.ndarray]
) -> dict[str, np.ndarray]:
    """The parameters of one layer and direction."""
    units, packed = cell.units, len(cell.gate_names) * cell.units
    kernel = checked_shape(f"kernel of the {name}", arrays[0], (inputs, packed))
    recurrent_kernel = checked_shape(f"recurrent kernel of the {name}", arrays[1], (units, packed))
    biases: list[np.ndarray | None] = [None, None]
    if len(arrays) == 3:
        shape, advice = (packed,), "set the cell's features as in Keras"
        if isinstance(cell, GRUCell):
            advice = "set the cell's reset to 'after' if Keras has reset_after=True, else 'before'"
        if resets_after(cell):
            shape = (2, packed)
        given = checked_shape(f"bias of the {name}", arrays[2], shape, advice).reshape(-1, packed)
        biases = [_reordered(cell, row) for row in given] + [None] * (2 - len(given))
    params = {
        "kernel": _reordered(cell, kernel),
        "recurrent_kernel": _reordered(cell, recurrent_kernel),
    }
    return params | biases_in(cell, f"bias of the {name}", *biases)


def _out(cell: Any, params: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The weights of one layer and direction in Keras's order."""
    arrays = [_reordered(cell, params[name]) for name in ("kernel", "recurrent_kernel")]
    first, second = biases_out(params)
    if first is None or second is None:
        return arrays
    first, second = _reordered(cell, first), _reordered(cell, second)
    return [*arrays, np.stack([first, second]) if resets_after(cell) else first + second]


def _reordered(cell: Any, packed: np.ndarray) -> np.ndarray:
    """The gates in the other library's order, in either direction: Keras's GRU has z before r."""
    if not isinstance(cell, GRUCell):
        return np.ascontiguousarray(packed)
    one, two, three = np.split(packed, 3, axis=-1)
    return np.concatenate([two, one, three], axis=-1)
