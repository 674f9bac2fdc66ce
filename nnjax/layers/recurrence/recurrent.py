"""Recurrent layers: any cell, over whole sequences, in either direction, stacked."""

import dataclasses
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import parameters
from nnjax.errors import UserError
from nnjax.layers.cells import Carry, LSTMCell
from nnjax.layers.cells.weights import is_ids
from nnjax.layers.dropout import Dropout, dropout, drops
from nnjax.layers.recurrence import cudnn
from nnjax.layers.recurrence.directions import Direction, Merge, directions, merging
from nnjax.layers.recurrence.scan import scan
from nnjax.traced import check_number, is_plain


class Recurrent(nn.Module):
    """Runs a cell over sequences, in one or both directions, in one or more layers.

    Layers are named "forward1", "backward1", "forward2", ...; each is a cell with weights of its
    own. How the loop over time is written: ``scan`` and ``gated_scan``.

    Sequences of different lengths: outputs past the end are zero, the state in the end is that at
    the sequence's own end (the state before, where the length is 0), and a backward direction
    starts there. What the padding holds changes neither results nor gradients.

    The ``carry`` of a call, given to the next one, continues the sequence: truncated
    backpropagation through time. It is a tuple of the cells' carries, one a layer and direction,
    in the order of their names above.

    Draws dropout masks from the ``dropout`` key of ``apply(..., rngs={"dropout": key})``.

    Attributes:
      cell: the cell, which every layer and direction copies.
      layers: how many layers, each reading the outputs of the one before.
      direction: through time forwards, backwards, or one cell each way.
      merge: of the two directions' outputs, in every layer.
      dropout: rate on the outputs of every layer but the last; may be traced.
      recurrent_dropout: rate on the state where it enters a product, the same units being dropped
        at all time steps (Gal and Ghahramani 2016); may be traced.
      layer_norm: whether to normalise the outputs of every layer over its features
        (Ba et al. 2016), with a learned scale and bias.
      return_sequences: whether to return the outputs of all steps or the last one alone.
      vocabulary: the inputs are ids below this number, which stand for one-hot vectors; None for
        inputs that are vectors.
      remat: whether to compute the inside of each step again for the gradient, which takes less
        memory and more time.
      unroll: time steps in one turn of the compiled loop; above 1 rarely pays.
      engine: "scan", a compiled loop; or "cudnn", on a GPU NVIDIA's own LSTM with the same weights:
        float32, on one device, without recurrent dropout, and for one trial of a sweep at a time.
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
        directions(self.direction)
        merging(self.merge)
        if self.engine not in ("scan", "cudnn"):
            raise UserError(f"engine='{self.engine}' must be 'scan' or 'cudnn'")
        if self.engine == "cudnn" and not is_plain(self.recurrent_dropout, 0):
            raise UserError("cuDNN has no recurrent dropout; leave it 0, or engine='scan'")
        super().__post_init__()

    @nn.nowrap
    def init_carry(self, batch: int, dtype: Any = jnp.float32) -> tuple[Carry, ...]:
        """The state before the first step, zeros, one entry a layer and direction."""
        return tuple(self.cell.init_carry(batch, dtype) for _ in self.layer_directions())

    @nn.nowrap
    def layer_directions(self) -> list[tuple[int, str]]:
        """Each layer's number, from 1, with each way through time, in the order of carries."""
        ways = directions(self.direction)
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
          x: (batch, time, inputs) floats; or, with a ``vocabulary``, int ids (batch, time), a
            negative one standing for a vector of zeros.
          lengths: int (batch,), how many steps of each sequence count; all when None.
          carry: the state before, from ``init_carry`` or an earlier call; zeros when None.
          train: whether to drop units.

        Returns:
          Outputs (batch, time, features), twice the features where two directions are
          concatenated, or (batch, features) unless ``return_sequences``; and the state after.

        Raises:
          UserError: ids without a vocabulary, vectors with one, or lengths or a carry that are not
            those of this batch and module.
        """
        self._check(x, lengths, carry)
        dtype = x.dtype if self.vocabulary is None else parameters.dtype_of(self)
        before = iter(self._first_carry(x, dtype) if carry is None else carry)
        # Within, sequences are (time, features, batch), and ids (time, batch).
        x = jnp.moveaxis(x, 0, -1)
        after, last = [], x
        merge = merging(self.merge)
        for layer in range(1, self.layers + 1):
            if layer > 1:
                x = Dropout(self.dropout)(x, train=train)
            outputs, finals = [], []
            for way in directions(self.direction):
                cell = self.cell.clone(parent=self, name=f"{way}{layer}")
                sequence, final = self._run(cell, x, lengths, next(before), way, dtype, train)
                after.append(final)
                outputs.append(sequence)
                finals.append(cell.output(final))
            x, last = merge(outputs, 1), merge(finals, -1)
            if self.layer_norm:
                norm = nn.LayerNorm(name=f"norm{layer}", dtype=dtype)
                x, last = jnp.swapaxes(norm(jnp.swapaxes(x, 1, 2)), 1, 2), norm(last)
                x = _before_the_end(x, lengths)
        return (jnp.moveaxis(x, -1, 0) if self.return_sequences else last), tuple(after)

    def _first_carry(self, x: jax.Array, dtype: Any) -> tuple[Carry, ...]:
        """Zeros; under ``jax.shard_map`` of each device's own, as the sequences are."""
        return jax.tree.map(
            lambda zeros: jax.lax.full_like(x, 0, zeros.dtype, zeros.shape),
            self.init_carry(x.shape[0], dtype),
        )

    def _run(self, cell, x, lengths, carry, way: str, dtype, train: bool):
        """One layer in one direction: outputs (time, features, batch) and the state after."""
        ids = is_ids(x)
        weights = cell.weights(self.vocabulary if ids else x.shape[1], dtype)
        # What is not a number in the padding would come back in the gradient of the product.
        x = x if ids else _before_the_end(x, lengths)
        reverse = way == "backward"
        # For one step, as in generation, cuDNN would have all weights packed anew.
        if self.engine == "cudnn" and cudnn.usable(cell, dtype) and len(x) > 1:
            return cudnn.lstm(weights, x, carry, lengths, reverse=reverse)
        kept = None
        if drops(self.recurrent_dropout, train):
            ones = jnp.ones_like(jax.tree.leaves(carry)[0])
            kept = dropout(self.make_rng("dropout"), ones, self.recurrent_dropout)
        return scan(
            cell,
            weights,
            x,
            carry,
            lengths=lengths,
            reverse=reverse,
            kept=kept,
            remat=self.remat,
            unroll=self.unroll,
        )

    def _check(self, x, lengths, carry) -> None:
        ids = is_ids(x)
        if ids and self.vocabulary is None:
            raise UserError("integer inputs are ids: set the vocabulary, or give floating numbers")
        if not ids and self.vocabulary is not None:
            raise UserError(
                f"with a vocabulary ({self.vocabulary}) the inputs are integer ids, not {x.dtype}"
            )
        if lengths is not None and lengths.shape != x.shape[:1]:
            raise UserError(
                f"the lengths are {lengths.shape} for a batch of {x.shape[0]}: give one a sequence"
            )
        count = len(self.layer_directions())
        if carry is not None and len(carry) != count:
            raise UserError(
                f"the carry has {len(carry)} states for {count} layers and directions: "
                "give what init_carry or an earlier call returned"
            )


def _before_the_end(x: jax.Array, lengths: jax.Array | None) -> jax.Array:
    """A sequence (time, features, batch) with zeros from each one's end on."""
    if lengths is None:
        return x
    return jnp.where(jnp.arange(len(x))[:, None, None] < lengths, x, 0)
