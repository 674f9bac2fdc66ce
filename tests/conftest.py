"""Test settings: four fake CPU devices, folders of the tests' own, Hypothesis without a deadline.

The devices and the compilation cache are environment variables because JAX reads them when it is
imported. Processes that the tests start inherit all of them.
"""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

CACHE = Path(tempfile.gettempdir()) / "nnjax-test-compilation-cache"

os.environ["XLA_FLAGS"] = (
    "--xla_force_host_platform_device_count=4 --xla_backend_optimization_level=0"
)
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
# Writing every one of the thousands of tiny programs takes a fifth of the tests' time.
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
# The key that signs runs: the tests must not touch that of the user.
os.environ["NNJAX_STATE_DIR"] = str(Path(tempfile.gettempdir()) / f"nnjax-test-state-{os.getuid()}")
os.environ["KERAS_BACKEND"] = "jax"
os.environ["MPLBACKEND"] = "Agg"

# What compiles on its first call is slow once.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_configure(config):
    """Has the default tests compiled by XLA's older emitters, in almost half of the time.

    Programs of other sizes then may round otherwise. What promises the very same numbers by
    programs that differ is ``slow``, and compiled as users have it.
    """
    if config.option.markexpr == "not slow":
        os.environ["XLA_FLAGS"] += (
            " --xla_backend_extra_options=xla_cpu_disable_new_fusion_emitters"
        )


GROWTH = 3e9
"""Bytes of growth after which a worker drops its compiled programs."""

dropped_at = 0.0


@pytest.fixture(scope="module", autouse=True)
def bounded_memory():
    """Drops compiled programs when a worker has grown by ``GROWTH``, which limits its memory.

    The system does not get the freed memory back, so a limit on the size itself would drop the
    programs after every module from then on, and modules could no longer share them.
    """
    global dropped_at
    yield
    statm = Path("/proc/self/statm")
    used = int(statm.read_text().split()[1]) * os.sysconf("SC_PAGESIZE") if statm.exists() else 0
    if used > dropped_at + GROWTH:
        import jax

        jax.clear_caches()
        dropped_at = used


@pytest.fixture
def assert_stays_spread():
    """Checks that a function leaves a batch, spread over four devices, where it is."""

    def check(f, shape):
        # Imported here, for JAX reads the settings above when it is.
        import jax

        from nnjax.distributed import devices

        spread = devices.split_batch(devices.make_mesh(4))
        x = jax.device_put(jax.numpy.ones(shape), spread)
        program = jax.jit(f).lower(x).compile()
        assert program(x).sharding.is_equivalent_to(spread, len(shape))
        for transfer in ("all-gather", "all-to-all", "collective-permute", "all-reduce"):
            assert transfer not in program.as_text()

    return check
