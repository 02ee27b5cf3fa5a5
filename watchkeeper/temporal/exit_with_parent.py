"""Run a program that must not outlive its parent: ``python bound.py PARENT_PID PROGRAM ARGUMENT...``.

A script of its own, so that what must happen between fork and exec happens without ``preexec_fn``, which is unsafe in
a process with threads. Where the kernel cannot tell a child of its parent's death (all but Linux) it is just run.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Bind this process to the life of its parent, then become the program."""
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):
            raise SystemExit("the parent is gone already")
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
