"""Image captioning: from an image to a sequence of words (one to many)."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax

from nnjax import parameters
from nnjax.layers.dense import Dense
from nnjax.layers.dropout import Dropout
from nnjax.layers.embedding import Embedding
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.models.images.cnn import CNN
from nnjax.models.sequences.sequence_inputs import (
    InitialState,
    check_forward,
    check_options,
    known_size,
)


class Captioner(nn.Module):
    """A recurrent decoder whose initial state is computed from an image (Vinyals et al. 2015).

    v = encoder(image); h_0 = tanh(v W_0 + b_0)
    h_t = cell(h_{t-1}, w_t); p_t = softmax(h_t W + b)

    Attributes:
      encoder: the network that maps images to vectors, whose width is its ``outputs``.
      decoder: the recurrent layers. This model sets their ``vocabulary`` and ``return_sequences``.
      target_vocabulary: number of words of the captions; None takes it from the data.
      embedding: width of the word vectors; None is one-hot vectors.
      dropout: rate on the image vectors and on the decoder's outputs; may be traced.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from nnjax.layers import GRUCell, Recurrent
      >>> from nnjax.models import CNN, Captioner
      >>> encoder = CNN((2,), (3,), hidden=(), outputs=4)
      >>> model = Captioner(encoder, Recurrent(GRUCell(5)), target_vocabulary=7)
      >>> inputs = {"source": jnp.ones((2, 8, 8)), "target": jnp.array([[0, 3, -1], [0, 5, 6]])}
      >>> jax.jit(model.init_with_output)(jax.random.key(0), inputs)[0].shape
      (2, 3, 7)
    """

    encoder: CNN = dataclasses.field(
        default_factory=lambda: CNN(hidden=(), outputs=128, output_activation="relu")
    )
    decoder: Recurrent = dataclasses.field(default_factory=Recurrent)
    target_vocabulary: int | None = None
    embedding: int | None = None
    dropout: float = 0.0

    def __post_init__(self):
        check_options(
            target_vocabulary=self.target_vocabulary, embedding=self.embedding, dropout=self.dropout
        )
        check_forward("decoder", self.decoder)
        super().__post_init__()

    def setup(self):
        words = known_size("target_vocabulary", self.target_vocabulary)
        self.embed = None if self.embedding is None else Embedding(words, self.embedding)
        self.decoding = self.decoder.clone(
            vocabulary=words if self.embedding is None else None,
            return_sequences=True,
            parent=self,
            name="decoding",
        )
        self.initial = InitialState()
        self.drop = Dropout(self.dropout)
        self.output = Dense(words)

    def __call__(self, inputs: Mapping[str, jax.Array], *, train: bool = False) -> jax.Array:
        """Predicts each word of the captions from the image and the earlier words.

        Args:
          inputs: ``source``, images (batch, height, width[, channels]), and ``target``, ids
            (batch, time) that begin with the start token and are negative after the end.
          train: whether to apply dropout.

        Returns:
          Logits (batch, time, target vocabulary).
        """
        carry = self._initial_state(inputs["source"], train)
        outputs, _ = self.decoding(self._vectors(inputs["target"]), carry=carry, train=train)
        return self.output(self.drop(outputs, train=train))

    def start(self, source: jax.Array, length: int = 0) -> Any:
        """The decoder's initial state for the images; ``length`` does not matter."""
        del length
        return self._initial_state(source, train=False)

    def advance(self, carry: Any, tokens: jax.Array) -> tuple[Any, jax.Array]:
        """Reads one word of each caption, ids (batch,).

        Returns:
          The next state, and the logits (batch, target vocabulary) of the next words.
        """
        outputs, carry = self.decoding(self._vectors(tokens[:, None]), carry=carry)
        return carry, self.output(outputs[:, 0])

    def _vectors(self, tokens: jax.Array) -> jax.Array:
        return tokens if self.embed is None else self.embed(tokens)

    def _initial_state(self, images: jax.Array, train: bool) -> Any:
        vectors = self.drop(self.encoder(images, train=train), train=train)
        like = self.decoding.init_carry(images.shape[0], parameters.dtype_of(self))
        return self.initial(vectors, like)
