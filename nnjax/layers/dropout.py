"""Dropout with a rate that may be traced."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax.traced import check_number, is_plain


def dropout(key: jax.Array, x: jax.Array, rate: float | jax.Array) -> jax.Array:
    """Sets each element to 0 with probability ``rate`` and scales the rest by 1 / (1 - rate).

    Inverted dropout (Srivastava et al. 2014): the expectation is ``x``, so evaluation needs no
    rescaling.

    Args:
      key: typed PRNG key.
      x: of any shape.
      rate: in [0, 1); may be traced.

    Returns:
      Shape and dtype of ``x``.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from nnjax.layers.dropout import dropout
      >>> dropped = dropout(jax.random.key(0), jnp.ones(1000), 0.5)
      >>> bool(jnp.all((dropped == 0) | (dropped == 2)))
      True
    """
    kept = jax.random.bernoulli(key, 1.0 - rate, x.shape)
    return jnp.where(kept, x / jnp.asarray(1.0 - rate, x.dtype), jnp.zeros_like(x))


def is_dropping(rate: float | jax.Array, train: bool) -> bool:
    """Whether dropout does anything: in training, unless the rate is a Python 0."""
    return train and not is_plain(rate, 0)


class Dropout(nn.Module):
    """Drops elements in training and is the identity in evaluation.

    Draws its mask from the ``dropout`` key of ``apply(..., rngs={"dropout": key})``.

    Attributes:
      rate: probability of dropping an element, in [0, 1); may be traced. A Python 0 compiles to
        nothing.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from nnjax.layers import Dropout
      >>> Dropout(0.5).apply({}, jnp.ones(3), train=False)
      Array([1., 1., 1.], dtype=float32)
      >>> key = jax.random.key(0)
      >>> Dropout(0.5).apply({}, jnp.ones(3), train=True, rngs={"dropout": key}).shape
      (3,)
    """

    rate: float = 0.0

    def __post_init__(self):
        check_number("dropout rate", self.rate, at_least=0, below=1)
        super().__post_init__()

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps an array of any shape to one of the same shape and dtype."""
        if not is_dropping(self.rate, train):
            return x
        return dropout(self.make_rng("dropout"), x, self.rate)
