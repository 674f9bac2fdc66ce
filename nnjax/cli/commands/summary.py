"""``nnjax summary CONFIG``: the layers of a model, before any data is read."""

import sys

from nnjax.cli import files
from nnjax.console import Console
from nnjax.training.experiment import Experiment

USAGE = """usage: nnjax summary CONFIG [OPTIONS]

Prints the layers of the experiment's model with output shape, parameters and FLOPs, and the memory
that training takes. CONFIG and OPTIONS are those of 'nnjax train'.
"""


def run(arguments: list[str]) -> int:
    """Parses the command line and prints the tables."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE, file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    from nnjax.cli.options import parse

    config = files.read_config(files.load(files.find_config(arguments[0])))
    options = parse(config, arguments[1:], f"nnjax summary {arguments[0]}")
    return report(options.experiment)


def report(experiment: Experiment) -> int:
    """Prints what a dry run finds out: shapes, parameters, FLOPs, memory, length of the run."""
    from nnjax.training.dry_run import dry_run

    console = Console()
    findings = dry_run(experiment)
    if findings.layers:
        console.print(findings.layers.render())
    console.print(findings.render())
    return 0
