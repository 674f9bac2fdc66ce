"""Whether this user made a run on this machine, so that its code may run without asking.

A run or a sweep that needs code other than nnjax's own (the user's ``config.py``, classes of the
user's modules, a pickled sampler) is *signed* when it is made: an HMAC-SHA256 over a statement of
that code, with a key that only this user can read. A signature moves and is copied with its run.
Nobody else can make one, and changed code does not fit it. Hosts that share a home directory share
the key. Where the key cannot be written or read (a read-only home), nothing is signed and every run
with code of its own needs ``--trust``.
"""

import hashlib
import hmac
import json
import os
import secrets
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from nnjax.errors import UserError

VARIABLE = "NNJAX_STATE_DIR"
"""Environment variable: the folder of the key."""

KEY = "key"
KEY_BYTES = 32


def sign(purpose: str, statement: Any) -> str | None:
    """Returns the signature of a statement; None where this user has no key and cannot make one.

    Args:
      purpose: what is signed, as in "run": a signature for one purpose is worth nothing for others.
      statement: what would run, as JSON values; hashes stand for the contents of files.

    Example:
      >>> from nnjax.runs import trust
      >>> signature = trust.sign("sampler", {"sha256": "ab12"})
      >>> trust.is_signed("sampler", {"sha256": "ab12"}, signature)
      True
      >>> trust.is_signed("sampler", {"sha256": "cd34"}, signature)
      False
    """
    key = _read_key() or _make_key()
    return None if key is None else _signature(key, purpose, statement)


def is_signed(purpose: str, statement: Any, signature: Any) -> bool:
    """Whether this user signed a statement on this machine, or on one that shares its home.

    Args:
      purpose: as in :func:`sign`.
      statement: as in :func:`sign`.
      signature: what a file holds in the place of a signature; anything that is none is refused.

    Example:
      >>> from nnjax.runs import trust
      >>> trust.is_signed("run", {"config.py": None}, "forged")
      False
    """
    key = _read_key()
    if key is None or not isinstance(signature, str) or not signature.isascii():
        return False
    return hmac.compare_digest(signature, _signature(key, purpose, statement))


def check(directory: Path, code: Sequence[str], *, is_ours: bool, trust: bool) -> None:
    """Refuses to run the code of a run or sweep that somebody else made.

    Args:
      directory: of the run or the sweep.
      code: what opening it would do, as in "run its config.py"; nothing for mere data.
      is_ours: whether the code is signed.
      trust: whether the user said ``--trust``.

    Raises:
      UserError: there is code that is not signed, and the user did not say ``--trust``.

    Example:
      >>> from pathlib import Path
      >>> from nnjax.runs import trust
      >>> trust.check(Path("runs/x"), [], is_ours=False, trust=False)
      >>> trust.check(Path("runs/x"), ["run its config.py"], is_ours=False, trust=False)
      Traceback (most recent call last):
      nnjax.errors.UserError: runs/x would run its config.py, and you did not make that ...
    """
    if code and not is_ours and not trust:
        raise UserError(
            f"{directory} would {' and '.join(code)}, and you did not make that on this machine "
            "as it is now; read it, then add --trust (trust=True in Python) if you trust it"
        )


def hash_of(content: bytes | None) -> str | None:
    """Returns the SHA-256 of a file's content, in hexadecimal, for a statement; None of None.

    Example:
      >>> from nnjax.runs import trust
      >>> trust.hash_of(b"")[:8]
      'e3b0c442'
    """
    return None if content is None else hashlib.sha256(content).hexdigest()


def state_directory() -> Path | None:
    """Returns the folder of the key; None where the system knows no home directory.

    That is $NNJAX_STATE_DIR, else $XDG_STATE_HOME/nnjax, else ~/.local/state/nnjax.
    """
    shared = os.environ.get("XDG_STATE_HOME", "")
    try:
        if named := os.environ.get(VARIABLE):
            return Path(named).expanduser()
        # The XDG specification ignores relative paths.
        state = Path(shared) if Path(shared).is_absolute() else Path.home() / ".local" / "state"
        return state / "nnjax"
    except RuntimeError:
        return None


def _signature(key: bytes, purpose: str, statement: Any) -> str:
    message = json.dumps([purpose, statement], sort_keys=True).encode()
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def _read_key() -> bytes | None:
    """The key; None where there is none, or where others could have read or replaced it."""
    folder = state_directory()
    if folder is None:
        return None
    try:
        descriptor = os.open(folder / KEY, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (OSError, ValueError):
        return None
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        is_private = found.st_uid == os.getuid() and not found.st_mode & 0o077
        if not (stat.S_ISREG(found.st_mode) and is_private):
            return None
        with suppress(OSError):
            key = file.read(KEY_BYTES + 1)
            return key if len(key) == KEY_BYTES else None
    return None


def _make_key() -> bytes | None:
    """Makes the key, unless another process was faster; None where it cannot be written."""
    folder = state_directory()
    if folder is None:
        return None
    unfinished = folder / f".{KEY}.{secrets.token_hex(8)}"
    with suppress(OSError, ValueError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
                os.fsync(descriptor)
            # A link appears whole, and fails where the name is taken, on NFS too.
            with suppress(FileExistsError):
                os.link(unfinished, folder / KEY)
        finally:
            unfinished.unlink(missing_ok=True)
    return _read_key()
