"""What a person who starts a run may ask for, in words: the same at the terminal and over HTTP."""

from __future__ import annotations

from watchkeeper.config.settings import Settings
from watchkeeper.contracts import ToolChoice


def tool_choice(word: str | None) -> ToolChoice | None:
    """Read ``auto``, ``none``, ``required`` or the name of a tool to begin with; None stands for auto."""
    match word:
        case None | "auto":
            return None
        case "none":
            return ToolChoice(mode="none")
        case "required":
            return ToolChoice(mode="required")
        case _:
            return ToolChoice(mode="named", function=word)


def unknown_service(settings: Settings, service: str | None) -> str | None:
    """Say that the catalogue, if there is one, does not name a service; None if all is well.

    The worker would refuse it too, but as a failed run, for which a person may be paged.
    """
    if service is None or not settings.services or service in settings.services:
        return None
    return f"no service {service!r} in the catalogue; known: {', '.join(sorted(settings.services))}"
