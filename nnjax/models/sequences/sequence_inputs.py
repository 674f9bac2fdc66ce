"""Parts that models of sequences share: checks, reading of inputs, and common layers."""

import itertools
from collections.abc import Mapping
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax.errors import UserError
from nnjax.layers.dense import Dense
from nnjax.layers.dropout import Dropout
from nnjax.layers.embedding import Embedding
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.traced import check_number

Steps = Literal["rows", "pixels"]
"""How an image is read as a sequence: each step is a row of pixels, or a single pixel."""


def check_options(
    *,
    vocabulary: int | None = None,
    target_vocabulary: int | None = None,
    embedding: int | None = None,
    outputs: int | None = None,
    dropout: float = 0.0,
) -> None:
    """Checks that sizes are at least 1 and the dropout rate is in [0, 1); None and arrays pass.

    Raises:
      UserError: an option is out of range.
    """
    check_number("size of the vocabulary", vocabulary, at_least=1)
    check_number("size of the target vocabulary", target_vocabulary, at_least=1)
    check_number("width of the embedding", embedding, at_least=1)
    check_number("number of outputs", outputs, at_least=1)
    check_number("dropout rate", dropout, at_least=0, below=1)


def check_forward(writer: str, recurrent: Recurrent) -> None:
    """Checks that a model does not predict words from later words.

    Args:
      writer: names the layers in the message, as in "decoder".
      recurrent: the layers.

    Raises:
      UserError: the layers do not run forwards.
    """
    if recurrent.direction != "forward":
        raise UserError(
            f"a {recurrent.direction} {writer} would see the words it predicts; set its direction "
            "to forward"
        )


def check_tied(owner: str, recurrent: Recurrent, embedding: int | None) -> None:
    """Checks that an embedding and the last layer can share a table, which needs equal widths.

    Args:
      owner: names the layers in the message, as in "decoder".
      recurrent: the layers whose outputs the last layer reads.
      embedding: width of the word vectors; None is one-hot vectors.

    Raises:
      UserError: the widths differ.
    """
    features = recurrent.cell.features
    if embedding != features:
        raise UserError(
            f"tied weights need an embedding as wide as the {owner}'s {features} features, not "
            f"{embedding}"
        )


def lengths_of(ids: jax.Array) -> jax.Array:
    """The lengths (batch,) of sequences of ids (batch, time), which are negative in the padding."""
    return jnp.sum(ids >= 0, axis=1, dtype=jnp.int32)


def read_sequence(inputs: Any, steps: Steps = "rows") -> tuple[jax.Array, jax.Array | None]:
    """Returns the sequence and the lengths in the inputs of a model of sequences.

    Args:
      inputs: int ids (batch, time), negative after the end; floats (batch, time, features), all of
        full length; images (batch, rows, columns[, channels]); or a mapping with one of these as
        ``sequence`` and optionally ``lengths`` (batch,).
      steps: how images are read.

    Returns:
      Ids (batch, time) or floats (batch, time, features); and int lengths (batch,), or None for
      full length.

    Raises:
      UserError: the inputs are none of these.
    """
    lengths = inputs.get("lengths") if isinstance(inputs, Mapping) else None
    x = inputs["sequence"] if isinstance(inputs, Mapping) else inputs
    if jnp.issubdtype(x.dtype, jnp.integer):
        if x.ndim != 2:
            raise UserError(f"a batch of ids has the shape (batch, time), not {x.shape}")
        return x, lengths_of(x) if lengths is None else lengths
    if x.ndim not in (3, 4):
        raise UserError(
            "a model of sequences takes ids (time,), vectors (time, features) or images "
            f"(rows, columns[, channels]), not examples of shape {x.shape[1:]}"
        )
    if steps == "pixels":
        channels = x.shape[3] if x.ndim == 4 else 1
        return x.reshape(x.shape[0], -1, channels), lengths
    return x.reshape(*x.shape[:2], -1), lengths


def known_size(what: str, size: int | None) -> int:
    """Returns the size of a vocabulary.

    Args:
      what: the field of the model, for the message.
      size: its value.

    Raises:
      UserError: it is None, because no data has set it.
    """
    if size is None:
        raise UserError(f"the {what} of the model is not set; give its number of words")
    return size


def recurrent_outputs(
    module: nn.Module,
    recurrent: Recurrent,
    x: jax.Array,
    lengths: jax.Array | None,
    *,
    vocabulary: int | None,
    embedding: int | None,
    dropout: float,
    return_sequences: bool,
    train: bool,
) -> jax.Array:
    """The outputs of recurrent layers, "recurrence", after an optional embedding, "embed".

    Called inside a compact module, whose layers they become.

    Args:
      module: the module that calls.
      recurrent: the recurrent layers.
      x: ids (batch, time) or floats (batch, time, features).
      lengths: (batch,); None is the full length.
      vocabulary: number of words if the inputs are ids.
      embedding: width of the word vectors; None is one-hot vectors.
      dropout: rate on the word vectors; may be traced.
      return_sequences: whether to return the outputs of all steps or only the last.
      train: whether to apply dropout.

    Returns:
      (batch, time, features) or (batch, features).

    Raises:
      UserError: the inputs are ids and the vocabulary is None.
    """
    words = None
    if jnp.issubdtype(x.dtype, jnp.integer):
        words = known_size("vocabulary", vocabulary)
        if embedding is not None:
            x = Embedding(words, embedding, name="embed")(x)
            x, words = Dropout(dropout)(x, train=train), None
    layers = recurrent.clone(
        vocabulary=words,
        return_sequences=return_sequences,
        parent=module,
        name="recurrence",
    )
    return layers(x, lengths=lengths, train=train)[0]


class InitialState(nn.Module):
    """The initial state of a recurrence, computed from a vector (Bahdanau et al. 2015).

    s_0 = tanh(x W + b)
    """

    @nn.compact
    def __call__(self, x: jax.Array, like: Any) -> Any:
        """Maps x (batch, features) to a pytree with the structure and shapes of ``like``."""
        leaves, tree = jax.tree.flatten(like)
        widths = [leaf.shape[-1] for leaf in leaves]
        y = jnp.tanh(Dense(sum(widths), name="dense")(x))
        parts = jnp.split(y, list(itertools.accumulate(widths))[:-1], axis=-1)
        return jax.tree.unflatten(tree, parts)
