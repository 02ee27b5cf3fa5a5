"""The commands of the ``watchkeeper`` program, a file for each kind."""
