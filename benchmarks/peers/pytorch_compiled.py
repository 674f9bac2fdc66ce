"""PyTorch with ``torch.compile`` around model and loss, forward and backward."""

import functools

import torch

from benchmarks.peers.pytorch_eager import Torch
from benchmarks.workloads import Digits, Workload


def build(workload: Workload, digits: Digits, weights) -> Torch:
    """The eager peer, its loss compiled; on CUDA replayed as a graph ("reduce-overhead").

    Shapes are static: the last, smaller batch of an epoch gets a program of its own, and the
    others none that must serve every size.
    """
    mode = "reduce-overhead" if torch.cuda.is_available() else "default"
    wrap = functools.partial(torch.compile, dynamic=False, mode=mode)
    return Torch(workload, digits, weights, wrap=wrap)
