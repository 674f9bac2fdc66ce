"""The order of the training examples in an epoch: a function of (seed, epoch) alone."""

import numpy as np


def epoch_order(examples: int, seed: int, epoch: int, stream: int = 0) -> np.ndarray:
    """The order of one epoch: a random permutation of 0 ... examples - 1, int32 (examples,).

    Args:
      examples: number of training examples.
      seed: below 2**32.
      epoch: counted from 0.
      stream: another number gives an independent order in the same epoch.
    """
    # Philox is counter-based: every (seed, epoch) has random numbers of its own; no state is saved.
    key = np.array([seed ^ (stream << 40), epoch], np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).permutation(examples).astype(np.int32)
