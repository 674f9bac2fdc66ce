"""``nnjax sweep CONFIG --over FIELD VALUES...``: trains an experiment for many values of fields."""

import sys
from pathlib import Path

from nnjax.cli import files, sweep_devices, words
from nnjax.errors import UserError

USAGE = """usage: nnjax sweep CONFIG --over FIELD VALUES... [--over FIELD VALUES...] [OPTIONS]

  --over optimizer.learning-rate 0.01 0.03 0.1     these values
  --over seed 0..4                                 whole numbers
  --over optimizer.learning-rate log:1e-4..1e-1:7  seven points of a range; linear: and int: too
  --over optimizer.learning-rate log:1e-4..1e-1 --sampler tpe --trials 50
  --devices all            a worker process on each GPU, or on each core where there is none

CONFIG is as for 'nnjax train', or a file that defines `sweep`, a Sweep. FIELD is any option of the
experiment, or of the choice of a class, as in --over optimizer adam sgd.
'nnjax sweep CONFIG --help' lists the options.
'nnjax sweep --join DIR' adds a worker, on this machine or another, to a sweep that was begun.
"""


JOIN = "--join"


def run(arguments: list[str]) -> int:
    """Parses the command line and carries the sweep through."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE, file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    if arguments[0] == JOIN:
        return _join(arguments[1:])
    # A sweep uses its devices for workers; the experiment's own --devices does not apply.
    arguments = words.rename(arguments, "--devices", "--workers")
    sweep_devices.leave_devices_to_workers(arguments)
    # Imported here, because importing JAX takes a second and must follow the choice of devices.
    from nnjax.cli import sweep_options, sweep_run

    name, rest = arguments[0], arguments[1:]
    file = files.find_config(name)
    options = sweep_options.parse(files.load(file), rest, f"nnjax sweep {name}")
    own = None if files.is_built_in(file) else file
    return sweep_run.start(file.stem, options, own)


def _join(arguments: list[str]) -> int:
    """Works on a sweep that was begun elsewhere, until no trial is waiting."""
    trust, rest = "--trust" in arguments, [word for word in arguments if word != "--trust"]
    if len(rest) != 1:
        raise UserError("--join takes the directory of a sweep, as in: nnjax sweep --join DIR")
    sweep_devices.take_device()
    from nnjax.cli import sweep_run

    return sweep_run.join(Path(rest[0]), trust=trust)
