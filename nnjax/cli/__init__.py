"""The command line: ``nnjax COMMAND``. Each command is a file, imported when it is called."""
