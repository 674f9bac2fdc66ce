"""Words as vectors."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import initializers
from nnjax.layers.cells.weights import rows
from nnjax.traced import check_number


class Embedding(nn.Module):
    """A learned vector for every word: the row of a table, y = e_word (Bengio et al. 2003).

    The product of a one-hot vector with the table would give the same numbers, slowly. Parameters,
    float32: ``kernel`` (vocabulary, features).

    Attributes:
      vocabulary: number of words.
      features: width of a vector.
      kernel_init: initialiser of the table.
      init_scale: factor on the initial table; may be traced.
    """

    vocabulary: int
    features: int
    kernel_init: initializers.Initializer = "normal"
    init_scale: float = 0.1

    def __post_init__(self):
        check_number("size of the vocabulary", self.vocabulary, at_least=1)
        check_number("width of the embedding", self.features, at_least=1)
        super().__post_init__()

    def setup(self):
        draw = initializers.by_name(self.kernel_init, self.init_scale)
        self.kernel = self.param("kernel", draw, (self.vocabulary, self.features), jnp.float32)

    def __call__(self, ids: jax.Array) -> jax.Array:
        """Looks words up.

        Args:
          ids: integers (...); a negative one is padding, and its vector is zero, as is that of an
            id beyond the vocabulary.

        Returns:
          (..., features), of the dtype of the parameters.
        """
        return rows(jnp.asarray(self.kernel), ids)

    def scores(self, x: jax.Array) -> jax.Array:
        """The product with every word's vector: the last layer of a network with tied weights.

        Press and Wolf (2017). Maps (..., features) to (..., vocabulary).
        """
        return x @ self.kernel.astype(x.dtype).T
