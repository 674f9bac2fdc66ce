"""Checks and bias conversions that the exchange with PyTorch and with Keras share."""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nnjax.errors import UserError
from nnjax.layers.cells import NAMES, GRUCell, LSTMCell, SimpleCell
from nnjax.layers.recurrence.recurrent import Recurrent

Arrays = Mapping[str, np.ndarray]


def check_module(recurrent: Any, library: str) -> None:
    """Raises unless the other library can express the module.

    Raises:
      UserError: it is no ``Recurrent``, it normalises the outputs of its layers, or the other
        library has no such cell.
    """
    if not isinstance(recurrent, Recurrent):
        raise UserError(f"weights are exchanged with a Recurrent, not with {_advice(recurrent)}")
    _check_cell(recurrent.cell, library)
    if recurrent.layer_norm:
        raise UserError(
            f"{library}'s layers have no layer normalisation: set layer_norm to False to exchange "
            "weights with it"
        )


def _advice(module: Any) -> str:
    """Names what was given in place of a ``Recurrent``, and what to give instead."""
    kind = module.__name__ if isinstance(module, type) else type(module).__name__
    if isinstance(getattr(module, "recurrent", None), Recurrent):
        return f"a {kind}: give its recurrent layers, model.recurrent"
    if isinstance(module, tuple(NAMES.values())):
        return f"a {kind} alone: give Recurrent(cell)"
    return f"{kind}: give the nnjax.layers.Recurrent that has the same layers"


def check_all_used(given: Iterable[str], used: Iterable[str]) -> None:
    """Raises if weights were given that the module has no place for.

    Raises:
      UserError: names these weights.
    """
    left = sorted(set(given) - set(used))
    if left:
        raise UserError(
            f"there are weights of other layers, {', '.join(left)}: give the module as many layers "
            "and the same direction as the weights have"
        )


def _check_cell(cell: Any, library: str) -> None:
    """Raises unless the other library has the cell.

    Raises:
      UserError: it is another kind of cell, or has an activation that the library does not have.
    """
    if type(cell) not in (SimpleCell, LSTMCell, GRUCell):
        raise UserError(
            f"{library} has no {type(cell).__name__}: "
            "use SimpleCell, LSTMCell or GRUCell to exchange weights with it"
        )
    allowed = ("tanh", "relu") if isinstance(cell, SimpleCell) else ("tanh",)
    if cell.activation not in allowed:
        raise UserError(
            f"{library} has no {type(cell).__name__} with the activation '{cell.activation}', "
            f"only with {' or '.join(allowed)}"
        )


def input_widths(recurrent: Recurrent) -> list[int | None]:
    """The number of inputs of each layer; None for a first layer that reads vectors."""
    both = recurrent.direction == "bidirectional" and recurrent.merge == "concatenate"
    width = recurrent.cell.features * (2 if both else 1)
    return [recurrent.vocabulary] + [width] * (recurrent.layers - 1)


def float_array(name: str, value: Any) -> np.ndarray:
    """The weight as a NumPy array, float32 if it was float16 or bfloat16, which loses nothing.

    Args:
      name: names the weight in an error message.
      value: an array, or what NumPy can convert to one, such as a PyTorch tensor on the CPU.

    Raises:
      UserError: NumPy cannot read it, or its numbers are integers, complex or float8.
    """
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        first_line = str(error).strip().splitlines()[0].rstrip(".")
        raise UserError(
            f"'{name}' cannot be read as a NumPy array ({first_line}): give it as one; of a "
            "PyTorch tensor that is tensor.detach().float().cpu().numpy()"
        ) from error
    if array.dtype in (np.float32, np.float64):
        return array
    if array.dtype in (np.float16, jnp.bfloat16):
        return array.astype(np.float32)
    raise UserError(
        f"'{name}' is {array.dtype}: give it as float32, multiplied by its scale if it is quantised"
    )


def checked_shape(
    name: str,
    value: Any,
    shape: tuple[int | None, ...],
    advice: str = "set the cell's features, and the layers, as in the other library",
) -> np.ndarray:
    """The weight as a float array of that shape, in which None is any size.

    Args:
      name: names the weight in an error message.
      value: as ``float_array`` takes it.
      shape: the size of each axis.
      advice: what to do about another shape, for the error message.

    Raises:
      UserError: it has another shape, or is no array of floats.
    """
    array = float_array(name, value)
    if array.ndim != len(shape) or any(
        wanted not in (None, found) for wanted, found in zip(shape, array.shape, strict=True)
    ):
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        wanted += "," if len(shape) == 1 else ""
        raise UserError(f"'{name}' has the shape {array.shape} instead of ({wanted}): {advice}")
    return array


def biases_in(
    cell: Any, name: str, first: np.ndarray | None, second: np.ndarray | None
) -> dict[str, np.ndarray]:
    """The cell's bias parameters.

    Args:
      cell: decides how many bias vectors there are. With a "single" bias the two are added, if
        that computes the same.
      name: names the biases in an error message.
      first: the bias beside the input kernel (gates * units,), or None.
      second: the bias beside the recurrent kernel, likewise.

    Raises:
      UserError: the cell has no place for one of the biases.
    """
    shape = (len(cell.gate_names) * cell.units,)
    given = [bias for bias in (first, second) if bias is not None]
    if cell.bias == "none":
        if any(bias.any() for bias in given):
            raise UserError(f"'{name}' has biases, the cell has none: set its bias to 'double'")
        return {}
    zeros = np.zeros(shape, given[0].dtype if given else np.float32)
    first, second = (zeros if bias is None else bias for bias in (first, second))
    if cell.bias == "double":
        return {"bias": first, "recurrent_bias": second}
    if resets_after(cell) and second[2 * cell.units :].any():
        raise UserError(
            f"'{name}' has a bias that the reset gate acts on, the cell has none: "
            "set its bias to 'double'"
        )
    return {"bias": first + second}


def biases_out(params: Arrays) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The biases beside the input kernel and beside the recurrent kernel; None without biases.

    The second bias of a "single" one is zeros.
    """
    if "bias" not in params:
        return None, None
    first = params["bias"]
    return first, params.get("recurrent_bias", np.zeros_like(first))


def layer_params(
    recurrent: Recurrent, params: Mapping[str, Any]
) -> dict[tuple[int, str], dict[str, np.ndarray]]:
    """The parameters of each layer and direction of a ``Recurrent``, checked, as NumPy arrays.

    Args:
      recurrent: the module of the parameters.
      params: the parameters, as ``recurrent.init(...)["params"]`` has them.

    Returns:
      By the number of the layer, from 1, and "forward" or "backward": ``kernel`` (inputs, gates *
      units), ``recurrent_kernel`` (units, gates * units) and the biases (gates * units,).

    Raises:
      UserError: the parameters are not those of the module.
    """
    if not isinstance(params, Mapping):
        raise UserError(
            f"the parameters are a {type(params).__name__}: give the dict variables['params']"
        )
    if set(params) == {"params"}:
        raise UserError("these are a model's variables: give variables['params']")
    places = recurrent.layer_directions()
    check_all_used(params, [f"{way}{layer}" for layer, way in places])
    cell, widths = recurrent.cell, input_widths(recurrent)
    packed = len(cell.gate_names) * cell.units
    shapes: dict[str, tuple[int | None, ...]] = {"recurrent_kernel": (cell.units, packed)}
    if cell.bias != "none":
        shapes["bias"] = (packed,)
    if cell.bias == "double":
        shapes["recurrent_bias"] = (packed,)
    found = {}
    for layer, way in places:
        name = f"{way}{layer}"
        if name not in params:
            raise UserError(f"the parameters have no layer '{name}', only {', '.join(params)}")
        expected = {"kernel": (widths[layer - 1], packed), **shapes}
        arrays = jax.tree.map(np.asarray, dict(params[name]))
        if set(arrays) != set(expected):
            raise UserError(
                f"layer '{name}' has {', '.join(sorted(arrays))} instead of "
                f"{', '.join(sorted(expected))}: give the module the cell of the parameters, with "
                "the same bias"
            )
        found[layer, way] = {
            key: checked_shape(
                f"{name}/{key}", arrays[key], shape, "give the module that the parameters are of"
            )
            for key, shape in expected.items()
        }
    return found


def resets_after(cell: Any) -> bool:
    """Whether the cell is a GRU whose reset gate acts after the product."""
    return isinstance(cell, GRUCell) and cell.reset == "after"
