"""What an exchange of recurrent weights needs, whatever the other library."""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np

from nnjax.errors import UserError
from nnjax.layers.cells import GRUCell, LSTMCell, SimpleCell

Arrays = Mapping[str, np.ndarray]


def check_module(recurrent: Any, library: str) -> None:
    """Refuses a module that the other library's layers cannot be.

    Raises:
      UserError: it normalises the outputs of its layers, or has a cell of its own.
    """
    _check_cell(recurrent.cell, library)
    if recurrent.layer_norm:
        raise UserError(
            f"{library}'s layers have no layer normalisation: set layer_norm to False to exchange "
            "weights with it"
        )


def check_all_used(given: Iterable[str], used: Iterable[str]) -> None:
    """Refuses weights that nothing would be done with.

    Raises:
      UserError: names them.
    """
    left = sorted(set(given) - set(used))
    if left:
        raise UserError(
            f"there are weights of other layers, {', '.join(left)}: give the module the layers and "
            "the direction that they have"
        )


def _check_cell(cell: Any, library: str, activations: Iterable[str] = ("tanh", "relu")) -> None:
    """Refuses a cell that the other library does not have.

    Raises:
      UserError: it is another kind of cell, or has an activation that they do not have.
    """
    if type(cell) not in (SimpleCell, LSTMCell, GRUCell):
        raise UserError(
            f"{library} has no {type(cell).__name__}: "
            "use SimpleCell, LSTMCell or GRUCell to exchange weights with it"
        )
    allowed = tuple(activations) if isinstance(cell, SimpleCell) else ("tanh",)
    if cell.activation not in allowed:
        raise UserError(
            f"{library} has no {type(cell).__name__} with the activation '{cell.activation}', "
            f"only with {' or '.join(allowed)}"
        )


def checked_shape(name: str, array: Any, shape: tuple[int | None, ...]) -> np.ndarray:
    """The array, if it has that shape, None being any number.

    Raises:
      UserError: it has another shape.
    """
    array = np.asarray(array)
    if array.ndim != len(shape) or any(
        wanted not in (None, found) for wanted, found in zip(shape, array.shape, strict=True)
    ):
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise UserError(
            f"'{name}' has the shape {array.shape} instead of ({wanted}): "
            "set the cell's features, and the layers, as in the other library"
        )
    return array


def biases_in(
    cell: Any, name: str, first: np.ndarray | None, second: np.ndarray | None
) -> dict[str, np.ndarray]:
    """The cell's bias vectors, of the one beside the input kernel and that beside the recurrent.

    A cell with a "single" bias gets their sum, where that is the same.

    Raises:
      UserError: the cell has no place for what there is.
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
    if _resets_after(cell) and second[2 * cell.units :].any():
        raise UserError(
            f"'{name}' has a bias that the reset gate acts on, the cell has none: "
            "set its bias to 'double'"
        )
    return {"bias": first + second}


def biases_out(params: Arrays) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The bias beside the input kernel and that beside the recurrent one, where there are such."""
    if "bias" not in params:
        return None, None
    first = np.asarray(params["bias"])
    return first, np.asarray(params.get("recurrent_bias", np.zeros_like(first)))


def of_layer(params: Mapping[str, Any], name: str) -> dict[str, np.ndarray]:
    """One layer's parameters of those of a ``Recurrent``, on the host.

    Raises:
      UserError: there is no such layer.
    """
    if name not in params:
        raise UserError(f"the parameters have no layer '{name}', only {', '.join(params)}")
    return jax.tree.map(np.asarray, dict(params[name]))


def _resets_after(cell: Any) -> bool:
    return isinstance(cell, GRUCell) and cell.reset == "after"
