"""Sampling: draws the next word from a model's logits."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from nnjax.traced import check_number


@dataclass(frozen=True)
class Sampling:
    """Draws words from softmax(logits / temperature), or from the likeliest words only.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from nnjax.generation import Sampling
      >>> keys = jax.random.split(jax.random.key(0), 2)
      >>> logits = jnp.array([[0.0, 2.0, 1.0], [3.0, 0.0, 0.0]])
      >>> Sampling(temperature=0)(keys, logits)
      Array([1, 0], dtype=int32)

    Attributes:
      temperature: below 1 makes likely words likelier, above 1 less likely; 0 is greedy and always
        takes the likeliest word.
      top_k: keep the k likeliest words (Fan et al. 2018); None keeps all.
      top_p: keep the smallest set of likeliest words whose probabilities add up to this
        (Holtzman et al. 2020), among the words that ``top_k`` keeps; None keeps all.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self):
        check_number("temperature", self.temperature, at_least=0, below=float("inf"))
        check_number("number of words top_k", self.top_k, at_least=1)
        check_number("probability top_p", self.top_p, above=0)
        if self.top_p is not None and self.top_p != 1:
            check_number("probability top_p", self.top_p, below=1)

    def __call__(self, keys: jax.Array, logits: jax.Array) -> jax.Array:
        """Draws a word for each row.

        Args:
          keys: typed PRNG keys (batch,), one for each row, so that no row depends on the others.
          logits: (batch, vocabulary).

        Returns:
          int32 ids (batch,).
        """
        logits = logits.astype(jnp.float32)
        if self.temperature == 0:
            return jnp.argmax(logits, axis=-1).astype(jnp.int32)
        # The largest logit becomes 0, so that no division by a small temperature overflows.
        logits = (logits - logits.max(axis=-1, keepdims=True)) / self.temperature
        if self.top_k is not None:
            logits = keep_top_k(logits, self.top_k)
        if self.top_p is not None:
            logits = keep_top_p(logits, self.top_p)
        return jax.vmap(jax.random.categorical)(keys, logits).astype(jnp.int32)


def keep_top_k(logits: jax.Array, k: int) -> jax.Array:
    """Sets all but the ``k`` largest logits (..., vocabulary) to minus infinity.

    If several logits are equal to the k-th largest, all of them stay.
    """
    largest, _ = jax.lax.top_k(logits, min(k, logits.shape[-1]))
    return jnp.where(logits >= largest[..., -1:], logits, -jnp.inf)


def keep_top_p(logits: jax.Array, p: float | jax.Array) -> jax.Array:
    """Keeps the smallest set of words whose probabilities add up to ``p`` or more, at least one.

    Args:
      logits: (..., vocabulary).
      p: above 0, at most 1.

    Returns:
      The logits, with minus infinity for the other words. If several logits are equal to the
      smallest that stays, all of them stay.
    """
    ordered = jnp.sort(logits, axis=-1, descending=True)
    probabilities = jax.nn.softmax(ordered, axis=-1)
    # A word stays while the sum before it is below p, so that the first always stays. A rounded sum
    # may reach 1 early: with p = 1 all words stay regardless.
    before = jnp.cumsum(probabilities, axis=-1) - probabilities
    stays = (before < p) | (p >= 1)
    least = jnp.min(jnp.where(stays, ordered, jnp.inf), axis=-1, keepdims=True)
    return jnp.where(logits >= least, logits, -jnp.inf)
