"""The devices of a sweep's workers, chosen before a process imports JAX."""

import os
import subprocess
from collections.abc import Sequence

from nnjax.cli import words
from nnjax.errors import UserError

CORES = "NNJAX_CORES"
"""Environment variable of a worker without a GPU: the cores that it may use."""

GPUS = "NNJAX_GPUS"
"""Environment variable: the GPUs that were found before they were hidden from this process."""


def environments(workers: str) -> list[dict[str, str]]:
    """The environment variables that give each worker its device.

    Args:
      workers: the number of workers, or "all": one for each GPU, or each core without a GPU.

    Raises:
      UserError: there are fewer GPUs than workers.
    """
    gpus = visible_gpus()
    if gpus:
        count = len(gpus) if workers == "all" else int(workers)
        if count > len(gpus):
            raise UserError(f"{count} workers were asked for, and there are {len(gpus)} GPUs")
        return [{"CUDA_VISIBLE_DEVICES": gpu} for gpu in gpus[:count]]
    cores = sorted(os.sched_getaffinity(0))
    count = len(cores) if workers == "all" else int(workers)
    shares = [cores[i::count] or [cores[i % len(cores)]] for i in range(count)]
    return [{CORES: ",".join(map(str, share))} for share in shares]


def visible_gpus() -> list[str]:
    """The GPUs that JAX may use on this machine, found without JAX, which would reserve them."""
    if (found := os.environ.get(GPUS)) is not None:
        return [name for name in found.split(",") if name]
    if os.environ.get("JAX_PLATFORMS", "").split(",")[0] == "cpu":
        return []
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name for name in chosen.split(",") if name and name != "-1"]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = listed.stdout.splitlines() if listed.returncode == 0 else []
    return [str(number) for number, line in enumerate(lines) if line.startswith("GPU ")]


def take_device() -> None:
    """Restricts this process to the cores that its environment names; before JAX is imported."""
    if cores := os.environ.get(CORES):
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})


def leave_devices_to_workers(arguments: Sequence[str]) -> None:
    """Hides the GPUs from this process where workers train on them; before JAX is imported."""
    workers, _ = words.take(arguments, "--workers")
    if workers not in (None, "1"):
        # JAX reserves most of the memory of every GPU that it may use.
        os.environ[GPUS] = ",".join(visible_gpus())
        os.environ["JAX_PLATFORMS"] = "cpu"
