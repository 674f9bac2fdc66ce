"""The machine: what it is, how many processors are used, how busy others keep it."""

import os
import platform
import time
from importlib import metadata
from pathlib import Path

import nnjax

LIBRARIES = (
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "numpy",
    "torch",
    "keras",
)


def describe() -> list[str]:
    """Date, processor, cores and versions, as lines of a Markdown list."""
    return [
        f"- date: {time.strftime('%Y-%m-%d %H:%M')}",
        f"- processor: {processor()}, {cores()} cores used of {os.cpu_count()}",
        f"- system: {platform.system()} {platform.release()}, Python {platform.python_version()}",
        f"- versions: {', '.join(versions())}",
    ]


def processor() -> str:
    """The model's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def versions() -> list[str]:
    """Name and version of nnjax and of each library that is installed."""
    found = [f"nnjax {nnjax.__version__}"]
    for library in LIBRARIES:
        try:
            found.append(f"{library} {metadata.version(library)}")
        except metadata.PackageNotFoundError:
            continue
    return found


def cores() -> int:
    """Processors that this process and those it starts may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_threads(count: int) -> None:
    """Gives this process, and those it starts, the first ``count`` processors; 0 leaves all.

    Both PyTorch's and XLA's pools take as many threads as they may use processors.
    """
    if count and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
    os.environ["OMP_NUM_THREADS"] = str(count or cores())


def busy_seconds() -> float | None:
    """Processor time since the start, of all processes and of what the host took away.

    None where the system has no ``/proc``.
    """
    try:
        first = Path("/proc/stat").read_text().splitlines()[0]
    except OSError:
        return None
    user, nice, system, _, _, irq, softirq, stolen = map(int, first.split()[1:9])
    ticks = user + nice + system + irq + softirq + stolen
    return ticks / os.sysconf("SC_CLK_TCK")
