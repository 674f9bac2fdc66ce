"""The commands of `nnjax`: one file per command, named after the command."""
