"""Words or vectors through recurrent layers: the first part of a classifier, and of a tagger."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax.layers.dropout import Dropout
from nnjax.layers.embedding import Embedding
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.models.sequences.sequence_inputs import known_size


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
    """Applies an embedding, "embed", where wanted, and the recurrent layers, "recurrence".

    Args:
      module: that calls, and whose layers they become.
      recurrent: the layers.
      x: ids (batch, time) or floats (batch, time, features).
      lengths: (batch,), or None for full length.
      vocabulary: number of words.
      embedding: width of the words' vectors; None for one-hot vectors.
      dropout: rate on the words' vectors.
      return_sequences: whether all outputs are wanted or the last.
      train: whether to drop units.

    Returns:
      (batch, time, features) or (batch, features).

    Raises:
      UserError: the inputs are ids, and the vocabulary is None.
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
