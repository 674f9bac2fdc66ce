"""``nnjax list``: the experiments that can be trained by name."""

from nnjax.cli import files
from nnjax.console import Console
from nnjax.errors import UserError
from nnjax.tables import Table


def run(arguments: list[str]) -> int:
    """Prints a table of experiments, read from the config files without running them."""
    if arguments and arguments[0] in ("-h", "--help"):
        print("usage: nnjax list\n\nNames every experiment that 'nnjax train NAME' can train.")
        return 0
    if arguments:
        raise UserError(f"nnjax list takes no arguments, not '{arguments[0]}'")
    table = Table(["experiment", "what it is"], words=(1,))
    for name, file in files.config_files().items():
        table.add_row(name, files.first_line(file))
    Console().print(table)
    return 0
