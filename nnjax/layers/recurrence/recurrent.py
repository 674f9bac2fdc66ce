"""The recurrent layer: any cell over whole sequences, stacked, in one or both directions."""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import parameters
from nnjax.errors import UserError, choose
from nnjax.layers.cells import Carry, LSTMCell
from nnjax.layers.cells.weights import is_ids
from nnjax.layers.dropout import Dropout, dropout, is_dropping
from nnjax.layers.recurrence import cudnn
from nnjax.layers.recurrence.scan import scan
from nnjax.traced import check_number, is_plain

Direction = Literal["forward", "backward", "bidirectional"]
Merge = Literal["concatenate", "sum", "mean", "product"]

_DIRECTIONS: dict[str, tuple[str, ...]] = {
    "forward": ("forward",),
    "backward": ("backward",),
    "bidirectional": ("forward", "backward"),
}

_MERGES: dict[str, Callable[[list[jax.Array], int], jax.Array]] = {
    "concatenate": jnp.concatenate,
    "sum": lambda outputs, axis: outputs[0] + outputs[1],
    "mean": lambda outputs, axis: (outputs[0] + outputs[1]) / 2,
    "product": lambda outputs, axis: outputs[0] * outputs[1],
}


class Recurrent(nn.Module):
    """Runs a cell over sequences, in one or both directions, in one or more layers.

    Layers are named "forward1", "backward1", "forward2", ...; each is a cell with its own weights.
    ``scan`` and ``gated_scan`` implement the loop over time.

    Sequences may have different lengths. Outputs past the end are zero, the final state is the
    state at the sequence's own end (or the initial state if the length is 0), and a backward
    direction starts there. The contents of the padding change neither results nor gradients.

    For truncated backpropagation through time, pass the ``carry`` that one call returns to the
    next. It is a tuple of the cells' carries, one for each layer and direction, in the order of the
    names above.

    Draws dropout masks from the ``dropout`` key of ``apply(..., rngs={"dropout": key})``.

    Attributes:
      cell: the cell, which every layer and direction copies.
      layers: number of layers, each of which reads the outputs of the one before.
      direction: "forward" or "backward" through time, or "bidirectional" with a cell for each.
      merge: how every layer combines the outputs of its two directions.
      dropout: rate on the outputs of every layer except the last; may be traced.
      recurrent_dropout: rate on the state where it enters a product; the same units are dropped at
        all time steps (Gal and Ghahramani 2016). May be traced.
      layer_norm: whether to normalise the outputs of every layer over its features
        (Ba et al. 2016), with a learned scale and bias.
      return_sequences: whether to return the outputs of all steps or only the last.
      vocabulary: number of words if the inputs are ids, which stand for one-hot vectors; None if
        the inputs are vectors.
      remat: whether the backward pass recomputes the inside of each step, which needs less memory
        and more time.
      unroll: time steps in one iteration of the compiled loop; above 1 rarely pays.
      engine: "scan" is a compiled loop. "cudnn" is NVIDIA's own LSTM with the same weights, on a
        GPU: float32, on one device, without recurrent dropout, and for one trial of a sweep at a
        time.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from nnjax.layers import LSTMCell, Recurrent
      >>> x, recurrent = jnp.ones((2, 6, 3)), Recurrent(LSTMCell(5), direction="bidirectional")
      >>> variables = jax.jit(recurrent.init)(jax.random.key(0), x)
      >>> outputs, carry = jax.jit(recurrent.apply)(variables, x, lengths=jnp.array([6, 4]))
      >>> outputs.shape
      (2, 6, 10)
    """

    cell: Any = dataclasses.field(default_factory=LSTMCell)
    layers: int = 1
    direction: Direction = "forward"
    merge: Merge = "concatenate"
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    layer_norm: bool = False
    return_sequences: bool = True
    vocabulary: int | None = None
    remat: bool = False
    unroll: int = 1
    engine: Literal["scan", "cudnn"] = "scan"

    def __post_init__(self):
        check_number("number of layers", self.layers, at_least=1)
        check_number("dropout rate", self.dropout, at_least=0, below=1)
        check_number("recurrent dropout rate", self.recurrent_dropout, at_least=0, below=1)
        check_number("size of the vocabulary", self.vocabulary, at_least=1)
        check_number("number of unrolled steps", self.unroll, at_least=1)
        _directions(self.direction)
        _merging(self.merge)
        if self.engine not in ("scan", "cudnn"):
            raise UserError(f"engine='{self.engine}' must be 'scan' or 'cudnn'")
        if self.engine == "cudnn" and not is_plain(self.recurrent_dropout, 0):
            raise UserError("cuDNN has no recurrent dropout; leave it 0, or engine='scan'")
        super().__post_init__()

    @nn.nowrap
    def init_carry(self, batch: int, dtype: Any = jnp.float32) -> tuple[Carry, ...]:
        """The state before the first step: zeros, one carry for each layer and direction."""
        return tuple(self.cell.init_carry(batch, dtype) for _ in self.layer_directions())

    @nn.nowrap
    def layer_directions(self) -> list[tuple[int, str]]:
        """(layer, direction) of each carry, in order: a number from 1, "forward" or "backward"."""
        ways = _directions(self.direction)
        return [(layer, way) for layer in range(1, self.layers + 1) for way in ways]

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        lengths: jax.Array | None = None,
        carry: tuple[Carry, ...] | None = None,
        train: bool = False,
    ) -> tuple[jax.Array, tuple[Carry, ...]]:
        """Runs over whole sequences.

        Args:
          x: floats (batch, time, inputs); or, with a ``vocabulary``, int ids (batch, time), where a
            negative id stands for a vector of zeros.
          lengths: int (batch,), the number of valid steps of each sequence; None is all steps.
          carry: the state before the first step, from ``init_carry`` or an earlier call; None is
            zeros.
          train: whether to apply dropout.

        Returns:
          The outputs (batch, time, features), or (batch, features) unless ``return_sequences``,
          with twice the features if two directions are concatenated; and the final state.

        Raises:
          UserError: the inputs are ids without a vocabulary or vectors with one, or the lengths or
            the carry do not fit the batch and the module.
        """
        self._check(x, lengths, carry)
        dtype = x.dtype if self.vocabulary is None else parameters.dtype_of(self)
        before = iter(self._first_carry(x, dtype) if carry is None else carry)
        # Inside this module, sequences are (time, features, batch) and ids are (time, batch).
        x = jnp.moveaxis(x, 0, -1)
        after, last = [], x
        merge = _merging(self.merge)
        for layer in range(1, self.layers + 1):
            if layer > 1:
                x = Dropout(self.dropout)(x, train=train)
            outputs, finals = [], []
            for way in _directions(self.direction):
                cell = self.cell.clone(parent=self, name=f"{way}{layer}")
                sequence, final = self._run(cell, x, lengths, next(before), way, dtype, train)
                after.append(final)
                outputs.append(sequence)
                finals.append(cell.output(final))
            x, last = merge(outputs, 1), merge(finals, -1)
            if self.layer_norm:
                norm = nn.LayerNorm(name=f"norm{layer}", dtype=dtype)
                x, last = jnp.swapaxes(norm(jnp.swapaxes(x, 1, 2)), 1, 2), norm(last)
                x = _zero_padding(x, lengths)
        return (jnp.moveaxis(x, -1, 0) if self.return_sequences else last), tuple(after)

    def _first_carry(self, x: jax.Array, dtype: Any) -> tuple[Carry, ...]:
        """Zeros that vary over devices as ``x`` does, for ``jax.shard_map``."""
        return jax.tree.map(
            lambda zeros: jax.lax.full_like(x, 0, zeros.dtype, zeros.shape),
            self.init_carry(x.shape[0], dtype),
        )

    def _run(self, cell, x, lengths, carry, way: str, dtype, train: bool):
        """Runs one layer in one direction: outputs (time, features, batch) and the final state."""
        ids = is_ids(x)
        weights = cell.weights(self.vocabulary if ids else x.shape[1], dtype)
        # NaN in the padding would reach the gradient of the kernel through the product.
        x = x if ids else _zero_padding(x, lengths)
        reverse = way == "backward"
        # cuDNN would pack all weights again for each single step, as in generation.
        if self.engine == "cudnn" and cudnn.is_usable(cell, dtype) and len(x) > 1:
            return cudnn.lstm(weights, x, carry, lengths, reverse=reverse)
        state_mask = None
        if is_dropping(self.recurrent_dropout, train):
            ones = jnp.ones_like(jax.tree.leaves(carry)[0])
            state_mask = dropout(self.make_rng("dropout"), ones, self.recurrent_dropout)
        return scan(
            cell,
            weights,
            x,
            carry,
            lengths=lengths,
            reverse=reverse,
            state_mask=state_mask,
            remat=self.remat,
            unroll=self.unroll,
        )

    def _check(self, x, lengths, carry) -> None:
        ids = is_ids(x)
        if ids and self.vocabulary is None:
            raise UserError(
                "integer inputs are ids: set the vocabulary, or give floating-point numbers"
            )
        if not ids and self.vocabulary is not None:
            raise UserError(
                f"with a vocabulary ({self.vocabulary}) the inputs are integer ids, not {x.dtype}"
            )
        if lengths is not None and lengths.shape != x.shape[:1]:
            raise UserError(
                f"the lengths are {lengths.shape} for a batch of {x.shape[0]}: give one for each"
            )
        count = len(self.layer_directions())
        if carry is not None and len(carry) != count:
            raise UserError(
                f"the carry has {len(carry)} states for {count} layers and directions: "
                "give what init_carry or an earlier call returned"
            )


def _directions(direction: Direction) -> tuple[str, ...]:
    """The directions through time, "forward" before "backward".

    Raises:
      UserError: the direction is unknown.
    """
    return choose("direction", direction, _DIRECTIONS)


def _merging(merge: Merge) -> Callable[[list[jax.Array], int], jax.Array]:
    """A function from the outputs of each direction, and their feature axis, to one array.

    Raises:
      UserError: the merge mode is unknown.
    """
    function = choose("merge mode", merge, _MERGES)
    return lambda outputs, axis: function(outputs, axis) if len(outputs) > 1 else outputs[0]


def _zero_padding(x: jax.Array, lengths: jax.Array | None) -> jax.Array:
    """Sets the elements of (time, features, batch) past the end of each sequence to 0."""
    if lengths is None:
        return x
    return jnp.where(jnp.arange(len(x))[:, None, None] < lengths, x, 0)
