"""The rendezvous: the processes of a run find each other, or each reports which ones are missing.

It comes before ``jax.distributed.initialize``, whose time-out ends the process without an exception
that can be caught. Process 0 listens at the coordinator's address. The other processes connect,
send their rank and wait for its answer. Before it answers, process 0 asks every process whether it
is still alive, and waits again for those that are not. The port is free when the rendezvous is
over.
"""

import json
import socket
import time
from typing import Any

from nnjax.errors import UserError

ANSWER = 5.0
"""Seconds that a connection has to send its rank: any program may connect to the port."""

ASK, HERE = "still there?", "here"
"""The question of process 0 whether a process is still alive, and the reply."""

LONGEST = 4096
"""The largest size of a message, in bytes."""


def hold(host: str, port: int, processes: int, process_id: int, seconds: float) -> None:
    """Returns in every process when all processes are connected and alive.

    Args:
      host: of process 0.
      port: that process 0 listens at.
      processes: number of processes.
      process_id: rank of this process, from 0.
      seconds: how long to wait for the other processes.

    Raises:
      UserError: a process did not connect, ended meanwhile, connected twice, or was started for
        another number of processes; or process 0 cannot be reached, or cannot listen at the port.
    """
    if process_id == 0:
        _lead(host, port, processes, seconds)
    else:
        _report(host, port, processes, process_id, seconds)


# Process 0 ---------------------------------------------------------------------------------------


def _lead(host: str, port: int, processes: int, seconds: float) -> None:
    try:
        server = _listen(port)
    except OSError as error:
        raise UserError(
            f"process 0 cannot listen at port {port} ({error.strerror}); give every process "
            "another port in --coordinator"
        ) from None
    connected: dict[int, socket.socket] = {}
    deadline = time.monotonic() + seconds
    with server:
        problem = None
        while problem is None and (missing := _missing(connected, processes)):
            connection = _accept(server, deadline)
            if connection is None:
                problem = _message_of_missing(
                    missing, connected, processes, f"{host}:{port}", seconds
                )
            else:
                problem = _add(connection, connected, processes)
        for connection in connected.values():
            _answer(connection, problem)
    if problem:
        raise UserError(problem)


def _listen(port: int) -> socket.socket:
    """A server at all addresses of this machine, as JAX's coordinator will be."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


def _accept(server: socket.socket, deadline: float) -> socket.socket | None:
    """The next connection; None when the time is over."""
    if (left := deadline - time.monotonic()) <= 0:
        return None
    server.settimeout(left)
    try:
        return server.accept()[0]
    except TimeoutError:
        return None


def _missing(connected: dict[int, socket.socket], processes: int) -> list[int]:
    """The ranks that did not connect; if all did, the ranks that have ended since."""
    missing = [number for number in range(1, processes) if number not in connected]
    return missing or [number for number in sorted(connected) if not _is_alive(connected[number])]


def _is_alive(connection: socket.socket) -> bool:
    """Asks a connected process whether it still waits: it may have been killed since."""
    try:
        _send(connection, ASK)
        answer = _receive(connection, ANSWER)
    except OSError:
        answer = None
    if answer != HERE:
        connection.close()
    return answer == HERE


def _message_of_missing(
    missing: list[int],
    connected: dict[int, socket.socket],
    processes: int,
    address: str,
    seconds: float,
) -> str:
    """The message for ranks that did not connect in time, or have ended since."""
    named = f"process {', '.join(map(str, missing))} of {processes}"
    if missing[0] in connected:
        return (
            f"{named} came to {address} and left before all the others had come; see what it says, "
            "and start every process again"
        )
    return (
        f"{named} did not come to {address} within {seconds:g} seconds; start every process with "
        "the same --coordinator, and see what those say"
    )


def _add(
    connection: socket.socket, connected: dict[int, socket.socket], processes: int
) -> str | None:
    """Adds a connection to the connected processes; returns a message where it does not fit."""
    said = _receive(connection, ANSWER)
    if not isinstance(said, dict) or not {"process", "processes"} <= said.keys():
        connection.close()
        return None
    number, count = said["process"], said["processes"]
    problem = None
    if count != processes:
        problem = (
            f"process {number} was started with --processes {count}, process 0 with "
            f"--processes {processes}; give all the same"
        )
    # A process that was started again takes the place of the one that was lost.
    elif number in connected and _is_alive(connected[number]):
        problem = (
            f"two processes were started with --process-id {number}; give each its own, from 0 "
            f"to {processes - 1}"
        )
    if problem:
        _answer(connection, problem)
        return problem
    connected[number] = connection
    return None


def _answer(connection: socket.socket, problem: str | None) -> None:
    try:
        with connection:
            _send(connection, {"problem": problem})
    except OSError:
        pass  # The process has ended, which JAX reports.


# The other processes ------------------------------------------------------------------------------


def _report(host: str, port: int, processes: int, process_id: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    with _reach(host, port, process_id, seconds) as connection:
        said = None
        try:
            _send(connection, {"process": process_id, "processes": processes})
            # Longer than process 0 waits, because process 0 knows which processes are missing.
            left = max(deadline - time.monotonic(), 0) + seconds
            while (said := _receive(connection, left)) == ASK:
                _send(connection, HERE)
        except OSError:
            pass
    if not isinstance(said, dict) or "problem" not in said:
        raise UserError(
            f"process 0 at {host}:{port} left before all {processes} processes had connected, or "
            "another program listens there; see what process 0 says, or choose another port"
        )
    if said["problem"]:
        raise UserError(said["problem"])


def _reach(host: str, port: int, process_id: int, seconds: float) -> socket.socket:
    """Connects to process 0 as soon as it listens."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection((host, port), timeout=ANSWER)
        except OSError as error:
            if time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            raise UserError(
                f"process {process_id} cannot reach the coordinator {host}:{port} within "
                f"{seconds:g} seconds ({error.strerror or error}); start process 0 there, open the "
                "port, or correct --coordinator"
            ) from None


# Messages ----------------------------------------------------------------------------------------


def _send(connection: socket.socket, message: Any) -> None:
    connection.sendall(json.dumps(message).encode() + b"\n")


def _receive(connection: socket.socket, seconds: float) -> Any:
    """Returns a message: JSON, up to the end of a line or of the connection; else None."""
    connection.settimeout(seconds)
    message = b""
    try:
        while not message.endswith(b"\n") and len(message) < LONGEST:
            part = connection.recv(LONGEST)
            if not part:
                break
            message += part
        return json.loads(message)
    except (OSError, ValueError):
        return None
