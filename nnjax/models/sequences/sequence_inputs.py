"""What models of sequences share: checks of their options, reading inputs, initial states."""

import itertools
from collections.abc import Mapping
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax.errors import UserError
from nnjax.layers.dense import Dense
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.traced import check_number

Steps = Literal["rows", "pixels"]
"""Images as sequences: a step is a row of pixels, or a single one."""


def check_options(
    *,
    vocabulary: int | None = None,
    target_vocabulary: int | None = None,
    embedding: int | None = None,
    outputs: int | None = None,
    dropout: float = 0.0,
) -> None:
    """Refuses sizes below 1, and a dropout rate below 0 or not below 1; None and traced ones pass.

    Raises:
      UserError: an option is out of range.
    """
    check_number("size of the vocabulary", vocabulary, at_least=1)
    check_number("size of the target vocabulary", target_vocabulary, at_least=1)
    check_number("width of the embedding", embedding, at_least=1)
    check_number("number of outputs", outputs, at_least=1)
    check_number("dropout rate", dropout, at_least=0, below=1)


def check_forward(writer: str, recurrent: Recurrent) -> None:
    """Refuses to predict words from what comes after them.

    Args:
      writer: names what predicts in the message, as in "decoder".
      recurrent: its layers.

    Raises:
      UserError: the layers do not run forwards.
    """
    if recurrent.direction != "forward":
        raise UserError(
            f"a {recurrent.direction} {writer} would see the words it predicts; set its direction "
            "to forward"
        )


def check_tied(owner: str, recurrent: Recurrent, embedding: int | None) -> None:
    """Refuses to share a table between an embedding and a last layer of another width.

    Args:
      owner: names whose features they are in the message, as in "decoder".
      recurrent: the layers whose outputs the last layer reads.
      embedding: width of the words' vectors; None for one-hot vectors.

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
    """The lengths (batch,) of sequences of ids (batch, time), padded after their ends."""
    return jnp.sum(ids >= 0, axis=1, dtype=jnp.int32)


def read_sequence(inputs: Any, steps: Steps = "rows") -> tuple[jax.Array, jax.Array | None]:
    """Finds the sequence and its lengths in what a model of sequences takes.

    Args:
      inputs: int ids (batch, time), negative after the end; or floats (batch, time, features), all
        of full length; or a mapping with ``sequence`` and maybe ``lengths`` (batch,); or images
        (batch, rows, columns[, channels]).
      steps: how images are read.

    Returns:
      Ids (batch, time) or floats (batch, time, features); int (batch,), or None for full length.

    Raises:
      UserError: the inputs are none of these.
    """
    lengths = inputs.get("lengths") if isinstance(inputs, Mapping) else None
    x = inputs["sequence"] if isinstance(inputs, Mapping) else inputs
    if jnp.issubdtype(x.dtype, jnp.integer):
        if x.ndim != 2:
            raise UserError(f"ids come as (batch, time), not with the shape {x.shape}")
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
    """The size of a vocabulary.

    Raises:
      UserError: it is None, because no data filled it in.
    """
    if size is None:
        raise UserError(f"the {what} of the model is not set; give its number of words")
    return size


class InitialState(nn.Module):
    """The state in which a recurrence starts, of a vector: s_0 = tanh(x W + b).

    Bahdanau et al. (2015) start a decoder so.
    """

    @nn.compact
    def __call__(self, x: jax.Array, like: Any) -> Any:
        """Maps x (batch, features) to arrays of the tree and shapes of ``like``."""
        leaves, tree = jax.tree.flatten(like)
        widths = [leaf.shape[-1] for leaf in leaves]
        y = jnp.tanh(Dense(sum(widths), name="dense")(x))
        parts = jnp.split(y, list(itertools.accumulate(widths))[:-1], axis=-1)
        return jax.tree.unflatten(tree, parts)
