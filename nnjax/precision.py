"""The dtype of the forward and backward pass."""

from typing import Any, Literal

import jax
import jax.numpy as jnp

Precision = Literal["float32", "bfloat16"]
"""Mixed precision: "bfloat16" computes in bfloat16 with parameters that are stored in float32."""


def cast_floats(tree: Any, precision: Precision) -> Any:
    """Returns a pytree whose floating arrays have the dtype ``precision``; integers and keys stay.

    Gradients flow back through the cast, so they have the dtype of the uncast parameters.
    """

    def cast(leaf):
        floating = hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating)
        return leaf.astype(precision) if floating else leaf

    return jax.tree.map(cast, tree)
