"""Attention: means of values, weighted by how well their keys fit a query."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import initializers
from nnjax.errors import UserError
from nnjax.layers.dense import Dense
from nnjax.layers.positions import rotate
from nnjax.traced import check_number

Cache = dict[str, jax.Array]
"""Keys and values of the positions so far: each (batch, heads, length, features / heads)."""


def masked_softmax(scores: jax.Array, mask: jax.Array) -> jax.Array:
    """The softmax over the last axis of what the mask leaves; zeros where it leaves nothing.

    Args:
      scores: (..., keys), finite.
      mask: bool, broadcastable to the scores: True for what takes part.

    Returns:
      As ``scores``; computed in float32.
    """
    wide = scores.astype(jnp.float32)
    # Not -inf: where nothing takes part, the maximum and with it the gradient would not be finite.
    highest = jnp.max(jnp.where(mask, wide, jnp.finfo(jnp.float32).min), axis=-1, keepdims=True)
    # Outside the mask a score may be far above the highest within, and its power overflow.
    raised = jnp.where(mask, wide - jax.lax.stop_gradient(highest), 0)
    powers = jnp.where(mask, jnp.exp(raised), 0)
    total = jnp.sum(powers, axis=-1, keepdims=True)
    return (powers / jnp.where(total > 0, total, 1)).astype(scores.dtype)


class DotAttention(nn.Module):
    """Multiplicative attention (Luong et al. 2015, "general"): score(q, m) = q . (m W).

    W makes the memory as wide as the query, so that an encoder may be wider than the decoder.

    Attributes:
      features: width of the queries.
    """

    features: int

    def setup(self):
        self.key = Dense(self.features, use_bias=False)

    def keys(self, memory: jax.Array) -> jax.Array:
        """What can be computed of the memory (batch, source, inputs) before any query comes."""
        return self.key(memory)

    def __call__(
        self, query: jax.Array, keys: jax.Array, memory: jax.Array, mask: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Attends.

        Args:
          query: (batch, time, features).
          keys: of the memory, from ``keys``.
          memory: (batch, source, inputs).
          mask: bool (batch, source), True where there is something.

        Returns:
          The means (batch, time, inputs) and the weights (batch, time, source).
        """
        scores = jnp.einsum("btf,bsf->bts", query, keys)
        weights = masked_softmax(scores, mask[:, None])
        return jnp.einsum("bts,bsi->bti", weights, memory), weights


class AdditiveAttention(nn.Module):
    """Additive attention (Bahdanau et al. 2015): score(q, m) = v . tanh(q W + m U + b).

    Called as :class:`DotAttention`. It holds (batch, time, source, features) numbers at once, and
    computes them again for the gradient instead of keeping them.

    Attributes:
      features: width of the hidden layer.
    """

    features: int

    def setup(self):
        self.query = Dense(self.features, use_bias=False)
        self.key = Dense(self.features)
        self.score = self.param(
            "score", initializers.by_name("glorot_uniform"), (self.features, 1), jnp.float32
        )

    def keys(self, memory: jax.Array) -> jax.Array:
        """What can be computed of the memory (batch, source, inputs) before any query comes."""
        return self.key(memory)

    def __call__(
        self, query: jax.Array, keys: jax.Array, memory: jax.Array, mask: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Attends; arguments and results as of :class:`DotAttention`."""

        def scores(query, keys, score):
            hidden = jnp.tanh(query[:, :, None] + keys[:, None])
            return (hidden @ score)[..., 0]

        queries = self.query(query)
        weights = masked_softmax(
            jax.checkpoint(scores)(queries, keys, self.score.astype(query.dtype)), mask[:, None]
        )
        return jnp.einsum("bts,bsi->bti", weights, memory), weights


class CausalSelfAttention(nn.Module):
    """Multi-head attention of every position to itself and those before (Vaswani et al. 2017).

    In each head softmax(q k^T / sqrt(d)) v, with d = features / heads; q, k and v are products of
    the inputs with parts of one kernel, ``qkv``. The heads side by side go through a last dense
    layer, ``output``. As no position sees a later one, padding after the end changes nothing.

    One position after the other, as text is generated, keys and values are kept in a cache::

        cache = attention.start(batch, length, dtype)
        cache, y = attention.advance(cache, x[:, t], t)

    Attributes:
      features: width of inputs and outputs.
      heads: number of heads.
      rotary: whether to rotate queries and keys by their positions.
      window: how many positions are seen, a position's own among them; None for all. The cache
        holds no more than that, so that text may become longer than it.
      init_scale: standard deviation of the initial ``qkv``; may be traced.
      output_scale: standard deviation of the initial ``output``; may be traced.
    """

    features: int
    heads: int
    rotary: bool = True
    window: int | None = None
    init_scale: float = 0.02
    output_scale: float = 0.02

    def __post_init__(self):
        check_number("number of heads", self.heads, at_least=1)
        check_number("window", self.window, at_least=1)
        if self.features % self.heads:
            raise UserError(
                f"{self.features} features do not divide into {self.heads} heads; choose a "
                "multiple of the heads"
            )
        super().__post_init__()

    def setup(self):
        scale, last = self.init_scale, self.output_scale
        self.qkv = Dense(3 * self.features, kernel_init="normal", init_scale=scale)
        self.output = Dense(self.features, kernel_init="normal", init_scale=last)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps (batch, time, features) to the same shape."""
        query, key, value = self._split(x, jnp.arange(x.shape[1]))
        attended = jax.nn.dot_product_attention(
            query,
            key,
            value,
            is_causal=True,
            local_window_size=None if self.window is None else (self.window - 1, 0),
        )
        return self.output(attended.reshape(x.shape))

    def start(self, batch: int, length: int, dtype: Any) -> Cache:
        """An empty cache for ``length`` positions."""
        size = length if self.window is None else min(length, self.window)
        shape = (batch, self.heads, size, self.features // self.heads)
        return {"key": jnp.zeros(shape, dtype), "value": jnp.zeros(shape, dtype)}

    def advance(self, cache: Cache, x: jax.Array, position: jax.Array) -> tuple[Cache, jax.Array]:
        """One position.

        Args:
          cache: of the positions before.
          x: (batch, features).
          position: int (), counted from 0.

        Returns:
          The cache with this position, and the output (batch, features).
        """
        # With the heads before the positions, products with a cache are several times faster.
        split = self._split(x[:, None], position[None])
        query, key, value = (one.swapaxes(1, 2) for one in split)
        size = cache["key"].shape[2]
        # Where there is a window, the newest position takes the place of the oldest.
        place = (0, 0, position % size, 0)
        cache = {
            "key": jax.lax.dynamic_update_slice(cache["key"], key, place),
            "value": jax.lax.dynamic_update_slice(cache["value"], value, place),
        }
        scores = jnp.einsum("bntd,bnsd->bnts", query, cache["key"]) / query.shape[-1] ** 0.5
        weights = masked_softmax(scores, jnp.arange(size) <= position)
        attended = jnp.einsum("bnts,bnsd->bntd", weights, cache["value"])
        return cache, self.output(attended.reshape(x.shape))

    def _split(self, x: jax.Array, positions: jax.Array) -> tuple[jax.Array, ...]:
        """Query, key and value, each (batch, time, heads, features / heads)."""
        shape = (*x.shape[:-1], self.heads, self.features // self.heads)
        query, key, value = (one.reshape(shape) for one in jnp.split(self.qkv(x), 3, axis=-1))
        if self.rotary:
            query, key = rotate(query, positions), rotate(key, positions)
        return query, key, value
