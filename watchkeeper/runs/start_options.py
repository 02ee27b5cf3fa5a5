"""Options of a new run that the command line and the HTTP API both accept."""

from __future__ import annotations

from watchkeeper.config.settings import Settings
from watchkeeper.contracts import ToolChoice


def tool_choice(option: str | None) -> ToolChoice | None:
    """Read ``auto``, ``none``, ``required`` or the name of the tool to call first. None means auto."""
    match option:
        case None | "auto":
            return None
        case "none":
            return ToolChoice(mode="none")
        case "required":
            return ToolChoice(mode="required")
        case _:
            return ToolChoice(mode="named", function=option)


def unknown_service(settings: Settings, service: str | None) -> str | None:
    """Return an error message if a catalogue is configured and does not hold the service; otherwise None.

    The worker would refuse the service too, but with a failed run, which may page a person.
    """
    if service is None or not settings.services or service in settings.services:
        return None
    return f"no service {service!r} in the catalogue; known: {', '.join(sorted(settings.services))}"
