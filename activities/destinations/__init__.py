"""Where reports go: one destination a file, each of which recognises what it already has."""
