"""Variables and outputs of Flax modules for as little compilation as can be.

An operation outside of ``jax.jit`` is a program of its own, of which a module has hundreds; and
each call of ``jax.jit`` on a new function compiles it anew.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np


def drawn(module, *inputs, scale=0.5, seed=1, **options):
    """Variables of which none is zero, drawn by NumPy; ``options`` are those of ``init``."""
    init = functools.partial(module.init, **options)
    generator = np.random.default_rng(seed)
    return jax.tree.map(
        lambda leaf: jnp.asarray(scale * generator.normal(size=leaf.shape), leaf.dtype),
        jax.eval_shape(init, jax.random.key(0), *inputs),
    )


@functools.partial(
    jax.jit, static_argnums=0, static_argnames=("method", "mutable", "train", "length")
)
def apply(module, variables, *inputs, **options):
    """What ``module.apply`` returns, computed by one program."""
    return module.apply(variables, *inputs, **options)
