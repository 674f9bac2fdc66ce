"""Several processes, on one host or many, that make one run together.

Every process runs the same command. Rank 0 writes the run directory and shows the progress; the
other processes print errors only.
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
"""How long processes wait for each other at the start: a cluster may start them minutes apart."""

LEAVE_SECONDS = 5.0
"""How long a process that fails waits for the others to fail, too, before it disconnects."""

FINISH_SECONDS = 7 * 24 * 3600
"""How long the other processes wait for rank 0 at the end, which may still draw figures."""

LOST = re.compile(r"gloo|nccl|connection (closed|reset)|coordination service|heartbeat", re.I)
"""Matches the messages of errors that a lost connection to another process causes."""


@dataclass(frozen=True)
class Hosts:
    """The number of processes of a run, and the rank of this process.

    Attributes:
      coordinator: HOST:PORT of process 0, the same for every process; or "auto", which takes
        addresses and ranks from SLURM, Open MPI, a Cloud TPU or Kubernetes. None is a run of one
        process.
      processes: number of processes.
      process_id: rank of this process, from 0.
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
    """Connects this process with the other processes of the run until it ends.

    Call this before anything initialises JAX's backend. If the context ends with an error that the
    other processes do not raise, they are made to end, too.

    Raises:
      UserError: the processes do not find each other, or one was lost later.
    """
    if hosts.coordinator is None or hosts.processes == 1:
        yield
        return
    try:
        _connect(hosts)
        _check_devices()
        _open_connections()
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


# Connecting ---------------------------------------------------------------------------------------


def _address(coordinator: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``."""
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise UserError(
            f"--coordinator {coordinator} is no HOST:PORT, such as 10.0.0.1:4321, and not 'auto'"
        )
    return host.strip("[]"), int(port)


def _connect(hosts: Hosts) -> None:
    # CPUs need an implementation of collectives to be named; other platforms have their own.
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    # JAX's handler of SIGTERM would replace the one that saves the run.
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
    """Refuses processes with different numbers of devices, because a batch is split evenly."""
    each = np.bincount([device.process_index for device in jax.devices()]).tolist()
    for process, count in enumerate(each):
        if count != each[0]:
            raise UserError(
                f"process {process} has {count} devices, process 0 has {each[0]}; give every "
                "process as many"
            )


def _open_connections() -> None:
    """Opens the connections of collectives while all processes are waiting for each other.

    Opening them later times out where one process needs half a minute more than another, for
    example to read its data. Gloo, which CPUs use, reports each connection on standard output, so
    that is silenced.
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
    # The standard output of the other processes stays silent.
    if collectives.is_first():
        os.dup2(output, 1)
    os.close(output)


# Ending -----------------------------------------------------------------------------------------


def _leave_at_exit(status: int, *, at_once: bool) -> None:
    """Registers an exit that does not wait for processes which may be waiting for this one.

    At the end of a process JAX waits at a barrier for the other processes. Processes that all fail
    with the same error pass the barrier together.
    """
    begun = threading.Event()

    def shut_down() -> None:
        begun.wait()
        jax.distributed.shutdown()

    # Started here, because no thread can be started while the interpreter shuts down.
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
