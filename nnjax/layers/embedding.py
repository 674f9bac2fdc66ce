"""The embedding: a table of learned word vectors."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import initializers
from nnjax.layers.cells.weights import take_rows
from nnjax.traced import check_number


class Embedding(nn.Module):
    """Looks up a learned vector for every word: a row of a table (Bengio et al. 2003).

    The product of a one-hot vector with the table gives the same numbers, but more slowly.
    Parameter, float32: ``kernel`` (vocabulary, features), the table.

    Attributes:
      vocabulary: number of words.
      features: width of a vector.
      kernel_init: initialiser of the table.
      init_scale: factor on the initial table; may be traced.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from nnjax.layers import Embedding
      >>> ids = jnp.array([[3, 1, -1]])
      >>> vectors, _ = jax.jit(Embedding(10, features=4).init_with_output)(jax.random.key(0), ids)
      >>> vectors.shape
      (1, 3, 4)
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
        """Returns the vectors of words.

        Args:
          ids: integers (...). A negative id is padding: its vector is zero, like that of an id past
            the end of the vocabulary.

        Returns:
          (..., features), of the dtype of the parameters.
        """
        return take_rows(jnp.asarray(self.kernel), ids)

    def scores(self, x: jax.Array) -> jax.Array:
        """The product with every word's vector: maps (..., features) to (..., vocabulary).

        The last layer of a network with tied weights (Press and Wolf 2017).
        """
        return x @ self.kernel.astype(x.dtype).T
