"""The roll call: the processes of a run find each other, or each says in a sentence who is missing.

Done before JAX connects them, which ends a process that waits in vain without an error to catch.
Process 0 listens at the coordinator's address; the others report their number and wait for its
answer. The port is free again when the roll call is over.
"""

import json
import socket
import time
from typing import Any

from nnjax.errors import UserError

ANSWER = 5.0
"""Seconds for what has connected to say who it is: any program may find the port."""

LONGEST = 4096
"""Bytes of a message, at most."""


def hold(host: str, port: int, processes: int, process_id: int, seconds: float) -> None:
    """Returns at every process when all have come.

    Args:
      host: of process 0.
      port: that process 0 listens at.
      processes: how many there are.
      process_id: of this one, from 0.
      seconds: how long to wait for the others.

    Raises:
      UserError: a process did not come, came twice, or was started for another number of them; or
        process 0 cannot be reached, or cannot listen at the port.
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
    come: dict[int, socket.socket] = {}
    with server:
        problem = _collect(server, come, processes, seconds)
        if problem is None and len(come) < processes - 1:
            missing = [str(number) for number in range(1, processes) if number not in come]
            problem = (
                f"process {', '.join(missing)} of {processes} did not come to {host}:{port} within "
                f"{seconds:g} seconds; start every process with the same --coordinator, and see "
                "what those say"
            )
        for connection in come.values():
            _answer(connection, problem)
    if problem:
        raise UserError(problem)


def _listen(port: int) -> socket.socket:
    """A server at all addresses of this machine, as JAX's own will be."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


def _collect(
    server: socket.socket, come: dict[int, socket.socket], processes: int, seconds: float
) -> str | None:
    """Takes in the others until all have come or the time is over; returns what is wrong."""
    deadline = time.monotonic() + seconds
    while len(come) < processes - 1 and (left := deadline - time.monotonic()) > 0:
        server.settimeout(left)
        try:
            connection, _ = server.accept()
        except TimeoutError:
            break
        said = _receive(connection, ANSWER)
        if not isinstance(said, dict) or not {"process", "processes"} <= said.keys():
            connection.close()
            continue
        number, count = said["process"], said["processes"]
        problem = None
        if count != processes:
            problem = (
                f"process {number} was started with --processes {count}, process 0 with "
                f"--processes {processes}; give all the same"
            )
        elif number in come:
            problem = (
                f"two processes were started with --process-id {number}; give each its own, from 0 "
                f"to {processes - 1}"
            )
        if problem:
            _answer(connection, problem)
            return problem
        come[number] = connection
    return None


def _answer(connection: socket.socket, problem: str | None) -> None:
    try:
        with connection:
            connection.sendall(json.dumps({"problem": problem}).encode())
    except OSError:
        pass  # It has left; what is missing then, JAX says.


# The others --------------------------------------------------------------------------------------


def _report(host: str, port: int, processes: int, process_id: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    with _reach(host, port, process_id, seconds) as connection:
        message = {"process": process_id, "processes": processes}
        connection.sendall(json.dumps(message).encode() + b"\n")
        # Longer than process 0 itself waits, for it knows who is missing.
        said = _receive(connection, max(deadline - time.monotonic(), 0) + seconds)
    if not isinstance(said, dict) or "problem" not in said:
        raise UserError(
            f"process 0 at {host}:{port} left before all {processes} processes had come, or "
            "another program listens there; see what process 0 says, or choose another port"
        )
    if said["problem"]:
        raise UserError(said["problem"])


def _reach(host: str, port: int, process_id: int, seconds: float) -> socket.socket:
    """Connects to process 0, as soon as it listens."""
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


def _receive(connection: socket.socket, seconds: float) -> Any:
    """A message: JSON, up to the end of a line or of the connection; None where it is none."""
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
