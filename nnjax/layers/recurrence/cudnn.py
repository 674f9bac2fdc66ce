"""The LSTM of NVIDIA's cuDNN, which computes all time steps of a layer in one call, on a GPU.

It computes in float32 and has no rules for ``vmap`` or sharding, so it is used only on request.
"""

from typing import Any

import jax
import jax.numpy as jnp

from nnjax.errors import UserError
from nnjax.layers.cells import Cell, LSTMCell, Weights
from nnjax.layers.cells.lstm import LSTMCarry
from nnjax.layers.cells.weights import is_ids


def is_usable(cell: Cell, dtype: Any) -> bool:
    """Whether the default backend is a GPU.

    Args:
      cell: the cell to run.
      dtype: the dtype of the computation.

    Raises:
      UserError: cuDNN does not have this cell, or not in that dtype.
    """
    advice = "; leave engine='scan'"
    if type(cell) is not LSTMCell or cell.activation != "tanh":
        raise UserError(f"cuDNN has an LSTM with tanh, not this {type(cell).__name__}{advice}")
    if dtype != jnp.float32:
        raise UserError(f"cuDNN's LSTM is float32, not {jnp.dtype(dtype).name}{advice}")
    return jax.default_backend() == "gpu"


def lstm(
    weights: Weights,
    x: jax.Array,
    carry: LSTMCarry,
    lengths: jax.Array | None,
    *,
    reverse: bool = False,
) -> tuple[jax.Array, LSTMCarry]:
    """Runs one LSTM layer in one direction.

    Args:
      weights: the parameters of an ``LSTMCell``.
      x: (time, inputs, batch), or int ids (time, batch).
      carry: the state before the first step, (h, c), each (batch, units).
      lengths: int (batch,): from there on a sequence keeps its state and outputs zeros.
      reverse: whether to start at the end; with ``lengths``, at the end of each sequence.

    Returns:
      Outputs (time, units, batch), and the state after each sequence's last step.
    """
    time, batch = len(x), x.shape[-1]
    if lengths is None:
        lengths = jnp.full(batch, time, jnp.int32)
    lengths = lengths.astype(jnp.int32)
    kernel = weights["kernel"]
    vectors = jax.nn.one_hot(x, len(kernel), axis=1) if is_ids(x) else x
    if reverse:
        vectors = _reversed(vectors, lengths)
    outputs, after = _call(
        jnp.moveaxis(vectors, 2, 0),
        carry,
        _packed(weights),
        # cuDNN accepts no empty sequence: it reads one step, whose result is then discarded.
        jnp.maximum(lengths, 1),
        (kernel.shape[0], weights["recurrent_kernel"].shape[0]),
    )
    outputs = jnp.moveaxis(outputs, 0, 2)
    outputs = jnp.where(jnp.arange(time)[:, None, None] < lengths, outputs, 0)
    after = jax.tree.map(
        lambda new, old: jnp.where(lengths[:, None] > 0, new[0], old), tuple(after), carry
    )
    return _reversed(outputs, lengths) if reverse else outputs, after


def _call(x, carry: LSTMCarry, packed, lengths, sizes: tuple[int, int]):
    """Calls cuDNN on (batch, time, inputs): outputs, and h and c, each (1, batch, units)."""
    from jax.experimental import rnn

    h, c = carry
    result: Any = rnn.lstm(x, h[None], c[None], packed, lengths, *sizes, 1, 0.0, False)
    outputs, *after = result
    return outputs, after


def _packed(weights: Weights) -> jax.Array:
    """All parameters in one vector, in cuDNN's order: W, U, b, b', each (4 * units, ...)."""
    zeros = jnp.zeros(weights["kernel"].shape[1])
    parts = [weights["kernel"].T, weights["recurrent_kernel"].T]
    parts += [weights.get("bias", zeros), weights.get("recurrent_bias", zeros)]
    return jnp.concatenate([part.ravel() for part in parts])


def _reversed(x: jax.Array, lengths: jax.Array) -> jax.Array:
    """Reverses each sequence of (time, features, batch) within its length."""
    times = jnp.arange(len(x))[:, None]
    order = jnp.where(times < lengths, lengths - 1 - times, times)
    return jnp.take_along_axis(x, order[:, None, :], axis=0)
