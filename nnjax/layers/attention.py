"""Attention: means of values, weighted by how well their keys match a query."""

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
"""``key`` and ``value`` of the positions so far: (batch, heads, length, features / heads)."""


def masked_softmax(scores: jax.Array, mask: jax.Array) -> jax.Array:
    """The softmax over the unmasked elements of the last axis; zeros if all are masked.

    Args:
      scores: (..., keys), finite.
      mask: bool, broadcastable to the scores; True keeps an element.

    Returns:
      Shape and dtype of ``scores``; computed in float32. Masked elements are 0.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.layers.attention import masked_softmax
      >>> masked_softmax(jnp.array([1.0, 1.0, 9.0]), jnp.array([True, True, False]))
      Array([0.5, 0.5, 0. ], dtype=float32)
    """
    wide = scores.astype(jnp.float32)
    # Not -inf: if all elements are masked, the maximum and the gradient would not be finite.
    highest = jnp.max(jnp.where(mask, wide, jnp.finfo(jnp.float32).min), axis=-1, keepdims=True)
    # A masked score may be far above the highest unmasked one, and its exponential would overflow.
    shifted = jnp.where(mask, wide - jax.lax.stop_gradient(highest), 0)
    powers = jnp.where(mask, jnp.exp(shifted), 0)
    total = jnp.sum(powers, axis=-1, keepdims=True)
    return (powers / jnp.where(total > 0, total, 1)).astype(scores.dtype)


class DotAttention(nn.Module):
    """Multiplicative attention (Luong et al. 2015, "general"): score(q, m) = q . (m W).

    W projects the memory to the width of the queries, so that an encoder may be wider than the
    decoder.

    Attributes:
      features: width of the queries.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from nnjax.layers import DotAttention
      >>> attention, memory = DotAttention(features=4), jnp.ones((2, 5, 3))
      >>> query, keys, mask = jnp.ones((2, 6, 4)), jnp.ones((2, 5, 4)), jnp.ones((2, 5), bool)
      >>> call = jax.jit(attention.init_with_output)
      >>> (means, weights), _ = call(jax.random.key(0), query, keys, memory, mask)
      >>> means.shape, weights.shape
      ((2, 6, 3), (2, 6, 5))
    """

    features: int

    def setup(self):
        self.key = Dense(self.features, use_bias=False)

    def keys(self, memory: jax.Array) -> jax.Array:
        """Maps a memory (batch, source, inputs) to its keys (batch, source, features)."""
        return self.key(memory)

    def __call__(
        self, query: jax.Array, keys: jax.Array, memory: jax.Array, mask: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """The mean of the memory for each query.

        Args:
          query: (batch, time, features).
          keys: the keys of the memory, from ``keys``.
          memory: (batch, source, inputs).
          mask: bool (batch, source); False marks padding.

        Returns:
          The means (batch, time, inputs) and the attention weights (batch, time, source).
        """
        scores = jnp.einsum("btf,bsf->bts", query, keys)
        weights = masked_softmax(scores, mask[:, None])
        return jnp.einsum("bts,bsi->bti", weights, memory), weights


class AdditiveAttention(nn.Module):
    """Additive attention (Bahdanau et al. 2015): score(q, m) = v . tanh(q W + m U + b).

    Called like :class:`DotAttention`. The hidden layer has (batch, time, source, features)
    elements; the backward pass recomputes them instead of storing them.

    Attributes:
      features: width of the hidden layer.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from nnjax.layers import AdditiveAttention
      >>> attention, memory = AdditiveAttention(features=4), jnp.ones((2, 5, 3))
      >>> query, keys, mask = jnp.ones((2, 6, 3)), jnp.ones((2, 5, 4)), jnp.ones((2, 5), bool)
      >>> call = jax.jit(attention.init_with_output)
      >>> (means, weights), _ = call(jax.random.key(0), query, keys, memory, mask)
      >>> means.shape, weights.shape
      ((2, 6, 3), (2, 6, 5))
    """

    features: int

    def setup(self):
        self.query = Dense(self.features, use_bias=False)
        self.key = Dense(self.features)
        self.score = self.param(
            "score", initializers.by_name("glorot_uniform"), (self.features, 1), jnp.float32
        )

    def keys(self, memory: jax.Array) -> jax.Array:
        """Maps a memory (batch, source, inputs) to its keys (batch, source, features)."""
        return self.key(memory)

    def __call__(
        self, query: jax.Array, keys: jax.Array, memory: jax.Array, mask: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """The mean of the memory for each query; see :class:`DotAttention`."""

        def scores(query, keys, score):
            hidden = jnp.tanh(query[:, :, None] + keys[:, None])
            return (hidden @ score)[..., 0]

        queries = self.query(query)
        weights = masked_softmax(
            jax.checkpoint(scores)(queries, keys, self.score.astype(query.dtype)), mask[:, None]
        )
        return jnp.einsum("bts,bsi->bti", weights, memory), weights


class CausalSelfAttention(nn.Module):
    """Multi-head attention from each position to itself and earlier ones (Vaswani et al. 2017).

    Each head computes softmax(q k^T / sqrt(d)) v with d = features / heads. One dense layer,
    ``qkv``, computes q, k and v; another, ``output``, maps the concatenated heads to the output.
    No position sees a later one, so padding after the end of a sequence changes nothing before it.

    To generate text, ``start`` makes an empty cache of keys and values, and ``advance`` computes
    one position and adds it to the cache.

    Attributes:
      features: width of inputs and outputs.
      heads: number of heads.
      rotary: whether to rotate queries and keys by their positions.
      window: number of positions that a position sees, including its own; None is all earlier
        ones. The cache holds only the window, so that a text may be longer than the cache.
      init_scale: standard deviation of the initial ``qkv``; may be traced.
      output_scale: standard deviation of the initial ``output``; may be traced.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from nnjax.layers import CausalSelfAttention
      >>> attention, x = CausalSelfAttention(features=8, heads=2), jnp.ones((2, 5, 8))
      >>> y, _ = jax.jit(attention.init_with_output)(jax.random.key(0), x)
      >>> y.shape
      (2, 5, 8)
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
        self.qkv = Dense(3 * self.features, kernel_init="normal", init_scale=self.init_scale)
        self.output = Dense(self.features, kernel_init="normal", init_scale=self.output_scale)

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
        """Computes one position of each sequence.

        Args:
          cache: the cache of the earlier positions.
          x: the input (batch, features) at this position.
          position: int (), counted from 0.

        Returns:
          The cache with this position added, and the output (batch, features).
        """
        # With the axis of heads before that of positions, products with the cache are several times
        # faster.
        projections = self._split(x[:, None], position[None])
        query, key, value = (array.swapaxes(1, 2) for array in projections)
        size = cache["key"].shape[2]
        # With a window the cache is a ring buffer: the newest position replaces the oldest.
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
        query, key, value = (part.reshape(shape) for part in jnp.split(self.qkv(x), 3, axis=-1))
        if self.rotary:
            query, key = rotate(query, positions), rotate(key, positions)
        return query, key, value
