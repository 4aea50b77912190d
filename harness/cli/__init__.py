"""The commands: a file each, short and linear. ``main`` reads the command line and turns errors into exit codes."""
