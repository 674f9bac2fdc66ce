"""The machine: its description, the processors in use, and the load of other processes."""

import os
import platform
import re
import time
from importlib import metadata
from pathlib import Path

import nnjax

RESULTS = Path(__file__).parent / "results"
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
    """Returns the date, processor, cores and versions as lines of a Markdown list."""
    return [
        f"- date: {time.strftime('%Y-%m-%d %H:%M')}",
        f"- processor: {processor()}, {cores()} cores used of {os.cpu_count()}",
        f"- system: {platform.system()} {platform.release()}, Python {platform.python_version()}",
        f"- versions: {', '.join(versions())}",
    ]


def result_page(benchmark: str) -> Path:
    """The page of a benchmark's results on this processor, as in "results/speed-amd-epyc.md"."""
    name = re.sub(r"\((r|tm)\)|processor|cpu|@.*", " ", processor().lower())
    words = re.findall(r"[a-z0-9]+", name) + ["avx512"] * ("avx512f" in _cpuinfo("flags").split())
    return RESULTS / f"{'-'.join([benchmark, *words])}.md"


def processor() -> str:
    """The name of the processor's model."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _cpuinfo(field: str) -> str:
    """The first value of a field of ``/proc/cpuinfo``; empty if there is none."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), "")


def versions() -> list[str]:
    """The names and versions of nnjax and of each installed library."""
    found = [f"nnjax {nnjax.__version__}"]
    for library in LIBRARIES:
        try:
            found.append(f"{library} {metadata.version(library)}")
        except metadata.PackageNotFoundError:
            continue
    return found


def cores() -> int:
    """The number of processors that this process and its children may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_threads(count: int) -> None:
    """Limits this process and its children to the first ``count`` processors; 0 allows all.

    The thread pools of PyTorch and XLA have one thread for each processor that they may use.
    """
    if count and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
    os.environ["OMP_NUM_THREADS"] = str(count or cores())


def busy_seconds() -> float | None:
    """Processor seconds since boot, of all processes and of time stolen by the host.

    None if the system has no ``/proc``.
    """
    try:
        first = Path("/proc/stat").read_text().splitlines()[0]
    except OSError:
        return None
    user, nice, system, _, _, irq, softirq, stolen = map(int, first.split()[1:9])
    ticks = user + nice + system + irq + softirq + stolen
    return ticks / os.sysconf("SC_CLK_TCK")
