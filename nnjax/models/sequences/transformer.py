"""The decoder-only transformer, a language model of attention."""

from collections.abc import Mapping
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import activations, parameters
from nnjax.errors import UserError
from nnjax.layers.attention import Cache, CausalSelfAttention
from nnjax.layers.dense import Dense
from nnjax.layers.dropout import Dropout
from nnjax.layers.embedding import Embedding
from nnjax.layers.positions import LearnedPositions
from nnjax.models.sequences.sequence_inputs import check_options, known_size, lengths_of
from nnjax.traced import check_number

SCALE = 0.02
"""Standard deviation of the initial weights (Radford et al. 2019)."""


class Transformer(nn.Module):
    """Predicts the next word with blocks of causal attention (Radford et al. 2019).

    x = embedding of the words (+ positions); in every block
    x = x + attention(norm(x)); x = x + W_2 gelu(W_1 norm(x)); finally logits = norm(x) W

    With L layers, d features, an MLP of m features and V words there are
    V d + L (4 d^2 + 2 d m + 9 d + m) + 2 d parameters, plus V d + V if the last layer is not tied
    to the embedding, plus d for each learned position.

    Padding after a text's end changes nothing before it. ``start`` and ``advance`` generate text,
    with a cache of the keys and values of the words so far.

    Attributes:
      layers: number of blocks.
      heads: number of attention heads in a block.
      features: width of the word vectors, a multiple of the heads.
      mlp_features: width of the hidden layer of a block's MLP; None is 4 * features.
      vocabulary: number of words; None takes it from the data.
      positions: "rotary" rotates queries and keys (Su et al. 2021), "learned" adds vectors.
      length: number of learned positions, which no text may exceed. Rotary positions have no limit.
      window: number of words that attention sees, including the newest; None is all. With rotary
        positions, a model trained on windows of this size generates text of any length.
      last_only: whether to predict only the word after the last one (many to one).
      dropout: rate on the word vectors and on each residual branch of a block; may be traced.
      tied: whether the last layer's kernel is the table of the embedding (Press and Wolf 2017).
      remat: whether the backward pass recomputes the inside of blocks, which needs less memory and
        more time.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from nnjax.models import Transformer
      >>> model = Transformer(layers=1, heads=2, features=8, vocabulary=7)
      >>> logits, _ = jax.jit(model.init_with_output)(jax.random.key(0), jnp.array([[2, 6, 1]]))
      >>> logits.shape
      (1, 3, 7)
    """

    layers: int = 4
    heads: int = 4
    features: int = 128
    mlp_features: int | None = None
    vocabulary: int | None = None
    positions: Literal["rotary", "learned"] = "rotary"
    length: int = 256
    window: int | None = None
    last_only: bool = False
    dropout: float = 0.0
    tied: bool = True
    remat: bool = False

    def __post_init__(self):
        check_number("number of layers", self.layers, at_least=1)
        check_number("number of heads", self.heads, at_least=1)
        check_number("number of features", self.features, at_least=1)
        check_options(vocabulary=self.vocabulary, dropout=self.dropout)
        super().__post_init__()

    def setup(self):
        words = known_size("vocabulary", self.vocabulary)
        self.embed = Embedding(words, self.features, init_scale=SCALE)
        learned = self.positions == "learned"
        self.places = LearnedPositions(self.length, self.features) if learned else None
        block = nn.remat(Block, static_argnums=(2,)) if self.remat else Block
        self.blocks = [
            block(
                features=self.features,
                heads=self.heads,
                mlp_features=self.mlp_features or 4 * self.features,
                rotary=not learned,
                window=self.window,
                dropout=self.dropout,
                # Keeps the scale of the sum of all residual branches independent of their number.
                output_scale=SCALE / (2 * self.layers) ** 0.5,
                parent=self,
                name=f"block{index + 1}",
            )
            for index in range(self.layers)
        ]
        self.drop = Dropout(self.dropout)
        self.norm = nn.LayerNorm(epsilon=1e-5)
        self.output = None if self.tied else Dense(words, kernel_init="normal", init_scale=SCALE)

    def __call__(self, inputs: Any, *, train: bool = False) -> jax.Array:
        """Predicts the next words.

        Args:
          inputs: ids (batch, time), negative after a text's end; or a mapping with ``tokens``.
          train: whether to apply dropout.

        Returns:
          Logits (batch, time, vocabulary), or (batch, vocabulary) with ``last_only``.

        Raises:
          UserError: the texts are longer than the learned positions.
        """
        tokens = inputs["tokens"] if isinstance(inputs, Mapping) else inputs
        time = tokens.shape[1]
        self._check_length(time)
        x = self.embed(tokens)
        if self.places is not None:
            x = self.places(x, jnp.arange(time))
        x = self.drop(x, train=train)
        for block in self.blocks:
            x = block(x, train)
        if self.last_only:
            last = jnp.maximum(lengths_of(tokens) - 1, 0)
            x = jnp.take_along_axis(x, last[:, None, None], axis=1)[:, 0]
        return self._logits(x)

    def start(self, batch: int, length: int) -> dict[str, Any]:
        """Empty caches for ``length`` words of ``batch`` texts.

        Raises:
          UserError: ``length`` is more than the learned positions.
        """
        self._check_length(length)
        dtype = parameters.dtype_of(self)
        caches = tuple(block.start(batch, length, dtype) for block in self.blocks)
        return {"position": jnp.zeros((), jnp.int32), "caches": caches}

    def advance(self, carry: dict[str, Any], tokens: jax.Array) -> tuple[dict[str, Any], jax.Array]:
        """Reads one word of each text.

        Args:
          carry: the caches of the earlier words.
          tokens: ids (batch,).

        Returns:
          The caches with these words added, and the logits (batch, vocabulary) of the next words.
        """
        position, caches = carry["position"], []
        x = self.embed(tokens)
        if self.places is not None:
            x = self.places(x[:, None], position[None])[:, 0]
        for block, cache in zip(self.blocks, carry["caches"], strict=True):
            cache, x = block.advance(cache, x, position)
            caches.append(cache)
        return {"position": position + 1, "caches": tuple(caches)}, self._logits(x)

    def _logits(self, x: jax.Array) -> jax.Array:
        x = self.norm(x)
        return self.embed.scores(x) if self.output is None else self.output(x)

    def _check_length(self, length: int) -> None:
        if self.positions == "learned" and length > self.length:
            raise UserError(
                f"a text of {length} words is longer than the {self.length} learned positions; "
                "make it shorter, or train with a larger length or rotary positions"
            )


class Block(nn.Module):
    """One block of a transformer: x + attention(norm(x)), then x + mlp(norm(x)).

    Attributes:
      features: width of inputs and outputs.
      heads: number of heads.
      mlp_features: width of the hidden layer.
      rotary: whether attention rotates queries and keys.
      window: number of words that attention sees; None is all.
      dropout: rate on each residual branch; may be traced.
      output_scale: standard deviation of the initial weights of the last layer of each branch.
    """

    features: int
    heads: int
    mlp_features: int
    rotary: bool = True
    window: int | None = None
    dropout: float = 0.0
    output_scale: float = SCALE

    def setup(self):
        self.norm1, self.norm2 = nn.LayerNorm(epsilon=1e-5), nn.LayerNorm(epsilon=1e-5)
        self.attention = CausalSelfAttention(
            self.features, self.heads, self.rotary, self.window, SCALE, self.output_scale
        )
        self.hidden = Dense(self.mlp_features, kernel_init="normal", init_scale=SCALE)
        self.output = Dense(self.features, kernel_init="normal", init_scale=self.output_scale)
        self.drop = Dropout(self.dropout)

    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps (batch, time, features) to the same shape."""
        x = x + self.drop(self.attention(self.norm1(x)), train=train)
        return x + self.drop(self._mlp(x), train=train)

    def start(self, batch: int, length: int, dtype: Any) -> Cache:
        """An empty cache for ``length`` positions."""
        return self.attention.start(batch, length, dtype)

    def advance(self, cache: Cache, x: jax.Array, position: jax.Array) -> tuple[Cache, jax.Array]:
        """Computes one position, x (batch, features): the cache with it added, and the output."""
        cache, attended = self.attention.advance(cache, self.norm1(x), position)
        x = x + attended
        return cache, x + self._mlp(x)

    def _mlp(self, x: jax.Array) -> jax.Array:
        return self.output(activations.gelu(self.hidden(self.norm2(x))))
