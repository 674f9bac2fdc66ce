"""Schedules: the learning rates of PyTorch's schedulers."""

import jax.numpy as jnp
import numpy as np
import pytest

from nnjax.schedules import Constant, Cosine, Exponential, Linear, OneCycle, Step

torch = pytest.importorskip("torch")
schedulers = torch.optim.lr_scheduler

CASES = {
    "multi step": (
        Step(steps=20, boundaries=(0.25, 0.75), factor=0.3),
        lambda o: schedulers.MultiStepLR(o, [5, 15], gamma=0.3),
    ),
    "step": (
        Exponential(rate=0.5, every=4, staircase=True),
        lambda o: schedulers.StepLR(o, 4, gamma=0.5),
    ),
    "exponential": (Exponential(rate=0.9), lambda o: schedulers.ExponentialLR(o, 0.9)),
    "linear": (
        Linear(steps=20, end_factor=0.1),
        lambda o: schedulers.LinearLR(o, 1.0, 0.1, total_iters=20),
    ),
    "cosine": (
        Cosine(steps=20, end_factor=0.1),
        lambda o: schedulers.CosineAnnealingLR(o, 20, eta_min=0.1),
    ),
    # PyTorch's cycle has its peak and its end one step earlier.
    "one cycle": (
        OneCycle(steps=20, rise=0.3),
        lambda o: schedulers.OneCycleLR(
            o, 1.0, total_steps=21, pct_start=7 / 21, cycle_momentum=False
        ),
    ),
    "warm-up": (
        Constant(warmup_steps=4),
        lambda o: schedulers.LinearLR(o, 1 / 5, 1.0, total_iters=4),
    ),
    "warm-up and cosine": (
        Cosine(steps=20, warmup_steps=4),
        lambda o: schedulers.SequentialLR(
            o,
            [
                schedulers.LinearLR(o, 1 / 5, 1.0, total_iters=4),
                schedulers.CosineAnnealingLR(o, 16),
            ],
            [4],
        ),
    ),
}


# SequentialLR of PyTorch warns of a call that it makes itself.
@pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step:UserWarning")
@pytest.mark.parametrize("name", CASES)
def test_factors_are_torchs(name):
    ours, make = CASES[name]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler, rates = make(optimizer), []
    for _ in range(20):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    np.testing.assert_allclose(ours(jnp.arange(20)), rates, rtol=1e-5, atol=1e-6)
