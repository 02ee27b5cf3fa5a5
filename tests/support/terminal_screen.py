"""A terminal for a program: a pty of a chosen size, and the text on its screen."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.program import Program

SECONDS = 60.0

_PIECE = re.compile(r"\x1b\[(?P<parameter>[?0-9;]*)(?P<code>[a-zA-Z])|(?P<move>[\r\n])|(?P<text>[^\x1b\r\n]+)")


class Screen:
    """The lines of a terminal. Supports the escape sequences that our output uses, and refuses all others."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.lines = [""]
        self.visible_cursor = True
        self._row = self._column = 0

    def feed(self, output: str) -> None:
        """Process the output of a program."""
        at = 0
        while at < len(output):
            piece = _PIECE.match(output, at)
            assert piece, f"no terminal of ours obeys {output[at : at + 20]!r}"
            at = piece.end()
            if piece["text"]:
                self._write(piece["text"])
            elif piece["move"] == "\r":
                self._column = 0
            elif piece["move"]:
                self._down()
            else:
                self._apply(piece["code"], piece["parameter"])

    def _apply(self, code: str, parameter: str) -> None:
        if (code, parameter) in (("h", "?25"), ("l", "?25")):
            self.visible_cursor = code == "h"
        elif code == "A":
            self._row -= int(parameter or 1)
            assert self._row >= 0, "the cursor goes above the screen"
        elif code == "K":
            assert parameter == "2"
            self.lines[self._row] = ""
        else:
            assert code == "m", f"unexpected escape sequence: ESC [ {parameter} {code}"

    def _write(self, text: str) -> None:
        for character in text:
            if self._column == self.width:
                self._column = 0
                self._down()
            line = self.lines[self._row].ljust(self._column)
            self.lines[self._row] = line[: self._column] + character + line[self._column + 1 :]
            self._column += 1

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self.lines):
            self.lines.append("")

    @property
    def text(self) -> str:
        """The text on the screen and above it."""
        return "\n".join(line.rstrip() for line in self.lines)


_END = b"\x1c"
"""Written to the terminal after the program has ended: all output of the program is before it. No program writes it."""


class Shown:
    """A program that runs at a terminal."""

    def __init__(
        self, process: asyncio.subprocess.Process, terminal: int, process_end: int, width: int, height: int
    ) -> None:
        self.process = process
        self.screen = Screen(width)
        self.output = ""
        self._terminal, self._ended = terminal, asyncio.Event()
        self._process_end: int | None = process_end
        self._unread = b""
        self.resize(width, height)
        asyncio.get_running_loop().add_reader(terminal, self._read)

    def resize(self, width: int, height: int) -> None:
        """Change the size of the terminal."""
        self.screen.width = width
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def _read(self) -> None:
        try:
            output = os.read(self._terminal, 65_536)
        except OSError:
            output = b""
        output, end, _ = output.partition(_END)
        if end or not output:
            asyncio.get_running_loop().remove_reader(self._terminal)
            self._ended.set()
        whole, cut = _whole((self._unread + output).decode(errors="surrogateescape"))
        self._unread = cut.encode(errors="surrogateescape")
        self.output += whole
        self.screen.feed(whole)

    async def shows(self, *texts: str) -> str:
        """Wait until the screen shows all of the texts."""
        try:
            async with asyncio.timeout(SECONDS):
                while not all(text in self.screen.text for text in texts):
                    assert not self._ended.is_set(), f"the program ended without {texts}: {self.screen.text}"
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise AssertionError(f"the screen never showed {texts}: {self.screen.text}") from error
        return self.screen.text

    def interrupt(self) -> None:
        """Press Ctrl-C, which the terminal echoes."""
        os.write(self._terminal, b"\x03")
        self.process.send_signal(signal.SIGINT)

    async def end(self) -> int:
        """Wait for the end of the process; return its exit code."""
        async with asyncio.timeout(SECONDS):
            code = await self.process.wait()
            # The kernel passes output on in order but not at once, and closing the terminal would lose the rest of it.
            assert self._process_end is not None, "the terminal was closed"
            os.write(self._process_end, _END)
            await self._ended.wait()
            self.hang_up()
        return code

    def hang_up(self) -> None:
        """Close the process's end of the terminal, which was kept open until all output is read."""
        if self._process_end is not None:
            os.close(self._process_end)
            self._process_end = None


def _whole(output: str) -> tuple[str, str]:
    """Split off an incomplete character or escape sequence at the end."""
    end = re.search(r"(\x1b(\[[?0-9;]*)?|[\udc80-\udcff]+)$", output)
    return (output[: end.start()], output[end.start() :]) if end else (output, "")


@asynccontextmanager
async def at_terminal(
    program: Program, *arguments: str, width: int = 100, height: int = 40, **environment: str
) -> AsyncIterator[Shown]:
    """Start the program at a terminal. It is killed when the context closes."""
    ours, theirs = pty.openpty()
    attributes = termios.tcgetattr(theirs)
    attributes[3] |= termios.NOFLSH  # otherwise Ctrl-C discards the output that this process has not read yet
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "watchkeeper.cli.main", *arguments),
        cwd=program.directory,
        env={**program.full_environment, "TERM": "xterm-256color", "LANG": "C.UTF-8", **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    shown = Shown(process, ours, theirs, width, height)
    try:
        yield shown
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        shown.hang_up()
        asyncio.get_running_loop().remove_reader(ours)
        os.close(ours)
