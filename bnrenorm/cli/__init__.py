"""The command line: commands, progress, tables, closing summary, and the check of the installation."""
