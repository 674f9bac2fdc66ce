"""Several processes, on one host or many, that make one run together.

Every process runs the same command. The first one, number 0, keeps the run directory and shows how
it goes; the others say only what goes wrong.
"""

import atexit
import functools
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import jax
import numpy as np

from nnjax.distributed import collectives, devices, rendezvous
from nnjax.errors import UserError

AUTO = "auto"

CONNECT_SECONDS = 300.0
"""How long processes wait for each other at the beginning: a cluster starts them at its leisure."""

LEAVE_SECONDS = 5.0
"""How long a process that fails waits for the others to fail as well, before it cuts them off."""

FINISH_SECONDS = 7 * 24 * 3600
"""How long the others wait for the first one at the end, while it draws figures, say."""

LOST = re.compile(r"gloo|nccl|connection (closed|reset)|coordination service|heartbeat", re.I)
"""What errors say where the process at the other end is gone."""


@dataclass(frozen=True)
class Hosts:
    """Which processes a run has, and which of them this one is.

    Attributes:
      coordinator: HOST:PORT of process 0, the same at every process; or "auto": SLURM, Open MPI, a
        Cloud TPU or Kubernetes say who is who. None is a run of one process.
      processes: how many processes there are.
      process_id: the number of this one, from 0.
    """

    coordinator: str | None = None
    processes: int | None = None
    process_id: int | None = None

    def __post_init__(self):
        numbers = {"--processes": self.processes, "--process-id": self.process_id}
        given = [f"{name} {value}" for name, value in numbers.items() if value is not None]
        if self.coordinator is None or self.coordinator == AUTO:
            if given:
                raise UserError(f"{given[0]} needs --coordinator HOST:PORT, that of process 0")
            return
        missing = [name for name, value in numbers.items() if value is None]
        if missing:
            raise UserError(
                f"--coordinator {self.coordinator} needs {' and '.join(missing)} too; or, under "
                "SLURM, Open MPI or on a Cloud TPU, give --coordinator auto alone"
            )
        _address(self.coordinator)
        assert self.processes is not None
        assert self.process_id is not None
        if self.processes < 1:
            raise UserError(f"--processes must be positive, not {self.processes}")
        if not 0 <= self.process_id < self.processes:
            raise UserError(
                f"--process-id {self.process_id} is not one of {self.processes} processes; they "
                f"are 0 to {self.processes - 1}"
            )


@contextmanager
def joined(hosts: Hosts) -> Iterator[None]:
    """Connects this process with the others for as long as it lives.

    Nothing may have touched JAX's devices before. Where the context ends with an error that the
    other processes do not share, it makes them end, too.

    Raises:
      UserError: the processes do not find each other, or one was lost on the way.
    """
    if hosts.coordinator is None or hosts.processes == 1:
        yield
        return
    try:
        _connect(hosts)
        _check_devices()
        _meet()
        yield
    except BaseException as error:
        lost = LOST.search(str(error)) if isinstance(error, ValueError | RuntimeError) else None
        number = getattr(error, "signal_number", None)
        if jax.distributed.is_initialized():
            _leave_at_exit(1 if number is None else 128 + number, at_once=bool(lost))
        if lost and not os.environ.get("NNJAX_TRACEBACK"):
            raise UserError(
                f"process {jax.process_index()} lost another process of the run, which says why; "
                "start all of them again with 'nnjax resume RUN', as they were started before"
            ) from error
        raise


# Coming ------------------------------------------------------------------------------------------


def _address(coordinator: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``."""
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise UserError(
            f"--coordinator {coordinator} is no HOST:PORT, such as 10.0.0.1:4321, and not 'auto'"
        )
    return host.strip("[]"), int(port)


def _connect(hosts: Hosts) -> None:
    # Only CPUs have a choice here, and without it no way to reach each other.
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    # JAX's own handler of SIGTERM would take the place of ours.
    jax.config.update("jax_enable_preemption_service", False)
    connect = functools.partial(
        jax.distributed.initialize,
        initialization_timeout=round(CONNECT_SECONDS),
        shutdown_timeout_seconds=FINISH_SECONDS,
    )
    if hosts.coordinator != AUTO:
        assert hosts.coordinator is not None
        assert hosts.processes is not None
        assert hosts.process_id is not None
        host, port = _address(hosts.coordinator)
        rendezvous.hold(host, port, hosts.processes, hosts.process_id, CONNECT_SECONDS)
        connect(hosts.coordinator, hosts.processes, hosts.process_id)
        return
    try:
        connect()
    except ValueError as error:
        raise UserError(
            f"--coordinator auto finds no cluster here ({error}); start the processes by srun or "
            "mpirun, or give --coordinator HOST:PORT --processes N --process-id K"
        ) from error


def _check_devices() -> None:
    """Refuses processes with different numbers of devices: a batch is spread evenly."""
    each = np.bincount([device.process_index for device in jax.devices()]).tolist()
    for process, count in enumerate(each):
        if count != each[0]:
            raise UserError(
                f"process {process} has {count} devices, process 0 has {each[0]}; give every "
                "process as many"
            )


def _meet() -> None:
    """Opens the connections that collectives use, while all processes are there.

    Later a process that comes half a minute after another, having read more data, say, would find
    it gone. The library of the CPU's collectives reports each connection on standard output.
    """
    sys.stdout.flush()
    output = os.dup(1)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.close(silence)
    collectives.gather_numbers([0])
    mesh = devices.make_mesh(0)
    one_each = devices.put(np.ones(mesh.size, np.int32), devices.split_batch(mesh))
    total = jax.jit(lambda ones: ones.sum(), out_shardings=devices.replicated(mesh))(one_each)
    assert int(total) == mesh.size
    # What the others show stays silent.
    if collectives.is_first():
        os.dup2(output, 1)
    os.close(output)


# Leaving -----------------------------------------------------------------------------------------


def _leave_at_exit(status: int, *, at_once: bool) -> None:
    """Has the process end without waiting for others that may be waiting for it.

    At the end of a process JAX waits for the others. Those that all fail alike meet there.
    """
    begun = threading.Event()

    def shut_down() -> None:
        begun.wait()
        jax.distributed.shutdown()

    # Started here, for as the interpreter shuts down no thread can be.
    waiting = threading.Thread(target=shut_down, daemon=True)
    waiting.start()

    def leave() -> None:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        if not at_once:
            begun.set()
            waiting.join(LEAVE_SECONDS)
        os._exit(status)

    atexit.register(leave)
