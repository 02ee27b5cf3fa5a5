"""Run a program that ends when its parent ends: ``python exit_with_parent.py PARENT_PID PROGRAM ARGUMENT...``.

Only the user can read the files that the program creates.

This is a separate script because ``preexec_fn`` is unsafe in a process with threads. Only Linux can signal a child when
its parent dies; on other systems the program just runs.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask the kernel to kill this process when its parent dies, then execute the program."""
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):
            raise SystemExit("the parent process has already ended")
    os.umask(0o077)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
