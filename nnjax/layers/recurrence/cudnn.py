"""The LSTM of NVIDIA's cuDNN: all time steps of a layer in one program of its own, on a GPU.

It computes in float32, has no rule for ``vmap``, and knows nothing of shards; so it is never
chosen by itself.
"""

from typing import Any

import jax
import jax.numpy as jnp

from nnjax.errors import UserError
from nnjax.layers.cells import Cell, LSTMCell, Weights
from nnjax.layers.cells.lstm import LSTMCarry
from nnjax.layers.cells.weights import is_ids


def usable(cell: Cell, dtype: Any) -> bool:
    """Whether there is a GPU to run on.

    Args:
      cell: which is to run.
      dtype: of the computation.

    Raises:
      UserError: cuDNN has no such cell, or not in that dtype.
    """
    remedy = "; leave engine='scan'"
    if type(cell) is not LSTMCell or cell.activation != "tanh":
        raise UserError(f"cuDNN has an LSTM with tanh, not this {type(cell).__name__}{remedy}")
    if dtype != jnp.float32:
        raise UserError(f"cuDNN's LSTM is float32, not {jnp.dtype(dtype).name}{remedy}")
    return jax.default_backend() == "gpu"


def lstm(
    weights: Weights,
    x: jax.Array,
    carry: LSTMCarry,
    lengths: jax.Array | None,
    *,
    reverse: bool = False,
) -> tuple[jax.Array, LSTMCarry]:
    """One layer in one direction.

    Args:
      weights: of an ``LSTMCell``.
      x: (time, inputs, batch), or int ids (time, batch).
      carry: the state before, h and c, each (batch, units).
      lengths: int (batch,): steps from there on leave the state alone and put out zeros.
      reverse: whether to start at the end; with ``lengths``, at the end of each sequence.

    Returns:
      Outputs (time, units, batch), and the state after each sequence's last step.
    """
    time, batch = len(x), x.shape[-1]
    whole = jnp.full(batch, time, jnp.int32) if lengths is None else lengths.astype(jnp.int32)
    kernel = weights["kernel"]
    vectors = jax.nn.one_hot(x, len(kernel), axis=1) if is_ids(x) else x
    if reverse:
        vectors = _turned(vectors, whole)
    outputs, after = _call(
        jnp.moveaxis(vectors, 2, 0),
        carry,
        _packed(weights),
        # cuDNN takes no empty sequence: it reads a step, which then counts for nothing.
        jnp.maximum(whole, 1),
        (kernel.shape[0], weights["recurrent_kernel"].shape[0]),
    )
    outputs = jnp.moveaxis(outputs, 0, 2)
    outputs = jnp.where(jnp.arange(time)[:, None, None] < whole, outputs, 0)
    after = jax.tree.map(
        lambda new, old: jnp.where(whole[:, None] > 0, new[0], old), tuple(after), carry
    )
    return _turned(outputs, whole) if reverse else outputs, after


def _call(x, carry: LSTMCarry, packed, lengths, sizes: tuple[int, int]):
    """CuDNN on (batch, time, inputs): outputs, and h and c, each (1, batch, units)."""
    from jax.experimental import rnn

    h, c = carry
    result: Any = rnn.lstm(x, h[None], c[None], packed, lengths, *sizes, 1, 0.0, False)
    outputs, *after = result
    return outputs, after


def _packed(weights: Weights) -> jax.Array:
    """All parameters in one vector, as cuDNN has them: W, U, b, b', each (4 * units, ...)."""
    none = jnp.zeros(weights["kernel"].shape[1])
    parts = [weights["kernel"].T, weights["recurrent_kernel"].T]
    parts += [weights.get("bias", none), weights.get("recurrent_bias", none)]
    return jnp.concatenate([part.ravel() for part in parts])


def _turned(x: jax.Array, lengths: jax.Array) -> jax.Array:
    """Sequences (time, features, batch) from their own ends to their beginnings."""
    times = jnp.arange(len(x))[:, None]
    places = jnp.where(times < lengths, lengths - 1 - times, times)
    return jnp.take_along_axis(x, places[:, None, :], axis=0)
