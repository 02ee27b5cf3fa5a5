"""The commands of the ``watchkeeper`` program, one file for each group of commands."""
