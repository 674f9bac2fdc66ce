"""The order in which training examples are seen: a function of (seed, epoch) and nothing else."""

import numpy as np


def epoch_order(examples: int, seed: int, epoch: int) -> np.ndarray:
    """Draws the order of one epoch, a permutation of 0 ... examples - 1, int32 (examples,)."""
    # Philox is counter-based: each (seed, epoch) has a stream of its own, with no state to save.
    generator = np.random.Generator(np.random.Philox(key=np.array([seed, epoch], np.uint64)))
    return generator.permutation(examples).astype(np.int32)
