"""PyTorch with ``torch.compile`` around model and loss, forward and backward."""

import functools

import torch

from benchmarks.peers.pytorch_eager import Torch
from benchmarks.workloads import Digits, Workload


def build(workload: Workload, digits: Digits, weights) -> Torch:
    """Returns the eager peer with a compiled loss, which CUDA replays as a graph.

    Shapes are static: the smaller last batch of an epoch gets its own program, so that the program
    of the other batches need not handle every size.
    """
    mode = "reduce-overhead" if torch.cuda.is_available() else "default"
    wrap = functools.partial(torch.compile, dynamic=False, mode=mode)
    return Torch(workload, digits, weights, wrap=wrap)
