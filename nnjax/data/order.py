"""The order in which training examples are seen: a function of (seed, epoch) and nothing else."""

import numpy as np


def epoch_order(examples: int, seed: int, epoch: int, stream: int = 0) -> np.ndarray:
    """Draws the order of one epoch, a permutation of 0 ... examples - 1, int32 (examples,).

    Seeds are below 2**32. Another ``stream`` gives another order, for a second thing to draw in the
    same epoch.
    """
    # Philox is counter-based: every key has numbers of its own, with no state to save.
    key = np.array([seed ^ (stream << 40), epoch], np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).permutation(examples).astype(np.int32)
