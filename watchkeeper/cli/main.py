"""The entry point of the ``watchkeeper`` program. Imports nothing large, so that Ctrl-C is handled from the start."""

from __future__ import annotations

import os
import signal
import sys

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells define it: 128 plus the number of the signal."""


def main() -> None:
    """Run the program and end the process with its exit code."""
    # The imports below take up to a second, and Python would print a traceback for a Ctrl-C during them.
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    from watchkeeper.cli.command_line import app

    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    sys.stderr.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        app()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else bool(ended.code)
    else:
        code = 0
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = code or 1
    # Skip the interpreter's own shutdown. The threads of Temporal's runtime outlive it, and sometimes abort the process
    # (`PyGILState_Release`), which turned an exit code of 0 into 134.
    os._exit(code)


if __name__ == "__main__":
    main()
