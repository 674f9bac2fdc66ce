"""The roll call: the processes of a run find each other, or each says in a sentence who is missing.

Done before JAX connects them, which ends a process that waits in vain without an error to catch.
Process 0 listens at the coordinator's address; the others report their number and wait for its
answer. Before it gives that, it asks each whether it is still there, and waits on for those that
are not. The port is free again when the roll call is over.
"""

import json
import socket
import time
from typing import Any

from nnjax.errors import UserError

ANSWER = 5.0
"""Seconds for what has connected to say who it is: any program may find the port."""

ASK, HERE = "still there?", "here"
"""What process 0 asks of those who have come, and what they reply."""

LONGEST = 4096
"""Bytes of a message, at most."""


def hold(host: str, port: int, processes: int, process_id: int, seconds: float) -> None:
    """Returns at every process when all have come and are still there.

    Args:
      host: of process 0.
      port: that process 0 listens at.
      processes: how many there are.
      process_id: of this one, from 0.
      seconds: how long to wait for the others.

    Raises:
      UserError: a process did not come, did not stay, came twice, or was started for another number
        of them; or process 0 cannot be reached, or cannot listen at the port.
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
    deadline = time.monotonic() + seconds
    with server:
        problem = None
        while problem is None and (absent := _absent(come, processes)):
            connection = _accept(server, deadline)
            if connection is None:
                problem = _of_the_absent(absent, come, processes, f"{host}:{port}", seconds)
            else:
                problem = _take_in(connection, come, processes)
        for connection in come.values():
            _answer(connection, problem)
    if problem:
        raise UserError(problem)


def _listen(port: int) -> socket.socket:
    """A server at all addresses of this machine, as JAX's own will be."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


def _accept(server: socket.socket, deadline: float) -> socket.socket | None:
    """The next connection; None where the time is over."""
    if (left := deadline - time.monotonic()) <= 0:
        return None
    server.settimeout(left)
    try:
        return server.accept()[0]
    except TimeoutError:
        return None


def _absent(come: dict[int, socket.socket], processes: int) -> list[int]:
    """Those who have not come; where all have, those who have left since."""
    missing = [number for number in range(1, processes) if number not in come]
    return missing or [number for number in sorted(come) if not _is_there(come[number])]


def _is_there(connection: socket.socket) -> bool:
    """Asks who has come whether it still waits: it may have been killed since."""
    try:
        _send(connection, ASK)
        answer = _receive(connection, ANSWER)
    except OSError:
        answer = None
    if answer != HERE:
        connection.close()
    return answer == HERE


def _of_the_absent(
    absent: list[int], come: dict[int, socket.socket], processes: int, address: str, seconds: float
) -> str:
    """What is wrong where some have not come in time, or have not stayed."""
    named = f"process {', '.join(map(str, absent))} of {processes}"
    if absent[0] in come:
        return (
            f"{named} came to {address} and left before all the others had come; see what it says, "
            "and start every process again"
        )
    return (
        f"{named} did not come to {address} within {seconds:g} seconds; start every process with "
        "the same --coordinator, and see what those say"
    )


def _take_in(
    connection: socket.socket, come: dict[int, socket.socket], processes: int
) -> str | None:
    """Adds what has connected to those who have come; returns what is wrong with it."""
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
    # One that was started again takes the place of the one that is lost.
    elif number in come and _is_there(come[number]):
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
            _send(connection, {"problem": problem})
    except OSError:
        pass  # It has left; what is missing then, JAX says.


# The others --------------------------------------------------------------------------------------


def _report(host: str, port: int, processes: int, process_id: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    with _reach(host, port, process_id, seconds) as connection:
        said = None
        try:
            _send(connection, {"process": process_id, "processes": processes})
            # Longer than process 0 itself waits, for it knows who is missing.
            left = max(deadline - time.monotonic(), 0) + seconds
            while (said := _receive(connection, left)) == ASK:
                _send(connection, HERE)
        except OSError:
            pass
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


# Messages ----------------------------------------------------------------------------------------


def _send(connection: socket.socket, message: Any) -> None:
    connection.sendall(json.dumps(message).encode() + b"\n")


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
