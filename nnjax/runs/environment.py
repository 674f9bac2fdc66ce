"""The environment of a run: versions, devices, git revision, command line."""

import functools
import os
import platform
import shlex
import subprocess
import sys
import time
from importlib import metadata
from typing import Any

import jax

import nnjax

LIBRARIES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def describe() -> dict[str, Any]:
    """Returns the content of ``environment.json`` beside name, seed and config file.

    Example:
      >>> from nnjax.runs import environment
      >>> sorted(environment.describe())[:4]
      ['backend', 'command', 'devices', 'directory']
    """
    devices = jax.devices()
    return {
        "command": shlex.join(sys.argv),
        "directory": os.getcwd(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "versions": versions(),
        "platform": platform.platform(),
        "backend": devices[0].platform,
        "devices": [device.device_kind for device in devices],
        "git": git_revision(),
    }


@functools.cache
def versions() -> dict[str, str]:
    """Returns the versions of nnjax, of Python and of the libraries that compute the results.

    Example:
      >>> from nnjax.runs import environment
      >>> sorted(environment.versions())[:3]
      ['flax', 'jax', 'jaxlib']
    """
    installed = {library: metadata.version(library) for library in LIBRARIES}
    return {"nnjax": nnjax.__version__, "python": platform.python_version(), **installed}


def git_revision() -> dict[str, Any] | None:
    """Returns the git revision of the current directory, and whether files were changed since.

    Returns:
      ``{"revision": ..., "dirty": ...}``, or None outside a work tree.

    Example:
      >>> from nnjax.runs import environment
      >>> found = environment.git_revision()
      >>> found is None or sorted(found) == ["dirty", "revision"]
      True
    """

    def ask(*question: str) -> str:
        # A work tree that somebody sent may name a program as its monitor of changed files.
        command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", *question]
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
        return done.stdout.strip()

    try:
        return {
            "revision": ask("rev-parse", "HEAD"),
            "dirty": bool(ask("status", "--porcelain", "--untracked-files=no")),
        }
    # No git, no work tree, no commit yet, or a disk too slow to wait for.
    except (OSError, subprocess.SubprocessError):
        return None
