"""Casting for mixed precision."""

import jax
import jax.numpy as jnp

from nnjax.precision import cast_floats


def test_only_floats_are_cast():
    tree = {"w": jnp.ones(2), "n": jnp.arange(2), "key": jax.random.key(0), "number": 3}
    cast = cast_floats(tree, "bfloat16")
    assert cast["w"].dtype == jnp.bfloat16
    assert cast["n"].dtype == jnp.int32
    assert jnp.issubdtype(cast["key"].dtype, jax.dtypes.prng_key)
    assert cast["number"] == 3


def test_gradients_come_back_in_the_dtype_of_the_parameters():
    def loss(w):
        return jnp.sum(jnp.square(cast_floats(w, "bfloat16")))

    gradient = jax.grad(loss)(jnp.full(3, 2.0))
    assert gradient.dtype == jnp.float32
    assert gradient.tolist() == [4.0, 4.0, 4.0]
