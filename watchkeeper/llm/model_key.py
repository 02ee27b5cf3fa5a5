"""The key of a model profile: a fixed text, a file that may change, or what a program prints."""

from __future__ import annotations

import asyncio
from pathlib import Path
from subprocess import DEVNULL, PIPE

from watchkeeper.config.model_connection import key_text
from watchkeeper.config.settings import ModelProfile
from watchkeeper.llm.errors import ModelError
from watchkeeper.redaction import Redactor
from watchkeeper.text import excerpt

COMMAND_SECONDS = 30.0
"""How long ``api_key_command`` may take."""

_ERROR_BYTES = 300


class ModelKey:
    """The key of one profile. Every failure is a ``ModelError``."""

    def __init__(self, profile: ModelProfile) -> None:
        self._profile = profile
        self._key = profile.api_key.get_secret_value() if profile.api_key else ""
        self._file_state: tuple[int, ...] | None = None
        self._command_lock = asyncio.Lock()

    async def read(self) -> str:
        """Return the key; empty if none is set. A file is read again if it has changed."""
        if self._profile.api_key_file is not None:
            self._read_file(self._profile.api_key_file)
        elif self._profile.api_key_command is not None and not self._key:
            await self._run(self._profile.api_key_command, "")
        return self._key

    async def read_again(self, refused: str) -> str | None:
        """Return the key that replaces one that the host has refused; None if the source still has the same."""
        if self._profile.api_key_file is not None:
            self._file_state = None
            self._read_file(self._profile.api_key_file)
        elif self._profile.api_key_command is not None:
            await self._run(self._profile.api_key_command, refused)
        return self._key if self._key != refused else None

    def _read_file(self, path: Path) -> None:
        try:
            state = _state(path)
            if state != self._file_state:
                self._key = read_key_file(path)
                self._file_state = state
        except ValueError as error:
            raise self._error(str(error)) from None

    async def _run(self, command: list[str], refused: str) -> None:
        """Run the program, unless another request has done so since ``refused`` was in use."""
        async with self._command_lock:
            if self._key != refused:
                return
            shown = f"api_key_command {command[0]!r}"
            try:
                async with asyncio.timeout(COMMAND_SECONDS):
                    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE)
                    try:
                        output, errors = await process.communicate()
                    finally:
                        if process.returncode is None:
                            process.kill()
            except TimeoutError:
                raise self._error(f"{shown} has not ended in {COMMAND_SECONDS:g} seconds") from None
            except (OSError, ValueError) as error:
                raise self._error(f"{shown} cannot be started: {error}") from None
            if process.returncode:
                reason = excerpt(Redactor(()).text(errors.decode(errors="replace").strip()), _ERROR_BYTES)
                raise self._error(f"{shown} ended with exit code {process.returncode}: {reason}")
            try:
                self._key = key_text(output.decode())
            except ValueError as error:
                raise self._error(f"{shown}: the key that it printed {_described(error)}") from None

    def _error(self, text: str) -> ModelError:
        """Return an outage: what writes the key may do so later."""
        return ModelError("unavailable", f"no key for the model {self._profile.name!r}: {text}")


def read_key_file(path: Path) -> str:
    """Return the key in a file. Raises ValueError, which names the file and says what to do."""
    try:
        return key_text(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(_unreadable(path, error)) from None
    except ValueError as error:
        raise ValueError(
            f"api_key_file {str(path)!r}: the key {_described(error)}; write only the key into it"
        ) from None


def _state(path: Path) -> tuple[int, ...]:
    """Return what changes when a file is written or replaced."""
    try:
        status = path.stat()
    except OSError as error:
        raise ValueError(_unreadable(path, error)) from None
    return status.st_mtime_ns, status.st_ino, status.st_size


def _unreadable(path: Path, error: OSError) -> str:
    return f"api_key_file {str(path)!r} cannot be read: {error.strerror}; name a file that this process can read"


def _described(error: ValueError) -> str:
    return "is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
