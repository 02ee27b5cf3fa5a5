"""Let the threads of the Temporal SDK's core finish their calls into Python before the interpreter exits.

The core resolves each awaited call on one of its threads, by ``loop.call_soon_threadsafe``. That call wakes the event
loop and gives up the interpreter's lock while it writes to the loop's pipe. If the program ends in that moment,
Python ends the thread inside the core, and the process aborts (``Fatal Python error: PyGILState_Release``).
"""

from __future__ import annotations

import atexit
import sys
import threading
import time

WAIT_SECONDS = 2.0
"""Longest wait. The calls take microseconds; only a thread of another library can take longer."""


def wait_for_foreign_calls(seconds: float = WAIT_SECONDS) -> None:
    """Wait until no thread that Python did not start runs Python code, at most some seconds."""
    deadline = time.monotonic() + seconds
    while sys._current_frames().keys() - _python_threads():
        if time.monotonic() >= deadline:
            return
        time.sleep(0.001)


def _python_threads() -> set[int | None]:
    """Return the ids of the threads that Python started. A foreign thread that has logged is known as a dummy."""
    return {thread.ident for thread in threading.enumerate() if not isinstance(thread, threading._DummyThread)}


def install() -> None:
    """Wait for these calls when the interpreter exits. Exit handlers run before the interpreter ends its threads."""
    atexit.register(wait_for_foreign_calls)
