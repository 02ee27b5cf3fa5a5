"""Button presses that Slack sends: the signature is verified, then the body is read (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from pydantic import Field, SecretStr
from slack_sdk.signature import Clock, SignatureVerifier

from watchkeeper.alerts.payload import Items, MalformedPayload, Payload, Text, parse_json, parse_model
from watchkeeper.alerts.plain_text import printable_line
from watchkeeper.alerts.verification import VerificationError
from watchkeeper.slack.status_message import APPROVE, DENY
from watchkeeper.text import excerpt

_NAME_BYTES = 100


@dataclass(frozen=True)
class ButtonPress:
    """A person's decision on a call that waits for approval."""

    run: str
    """Workflow id."""
    execution: str
    """First execution run id: another run with this workflow id may have a call with the same key."""
    call: str
    """Key of the call, such as r3.0."""
    approved: bool
    by: str
    """Name of the person in Slack."""


def verify(headers: Mapping[str, str], body: bytes, secret: SecretStr, now: float) -> None:
    """Check that Slack signed a raw body for this app within five minutes before ``now`` (Unix seconds).

    Raises VerificationError.
    """
    verifier = SignatureVerifier(secret.get_secret_value(), _FixedClock(now))
    try:
        is_valid = verifier.is_valid_request(body, dict(headers))
    except (ValueError, TypeError):
        is_valid = False
    if not is_valid:
        raise VerificationError("it is not signed with slack.signing_secret, or not within the last five minutes")


def read_button_press(body: bytes) -> ButtonPress | None:
    """Read a verified body. None if it holds no decision, such as an opened link. Raises MalformedPayload."""
    interaction = parse_model(_Interaction, parse_json(_payload(body)))
    decisions = [action for action in interaction.actions if action.action_id in (APPROVE, DENY)]
    if interaction.type != "block_actions" or not decisions:
        return None
    decision, user = decisions[0], interaction.user
    value = parse_model(_Value, parse_json(decision.value.encode("utf-8", "surrogatepass")))
    name = user.name or user.username or user.id
    return ButtonPress(
        run=value.run,
        execution=value.execution,
        call=value.call,
        approved=decision.action_id == APPROVE,
        by=excerpt(printable_line(name), _NAME_BYTES) or "someone in Slack",
    )


class _FixedClock(Clock):
    """A clock that always shows the same time."""

    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        return self._now


class _User(Payload):
    id: Text = ""
    name: Text = ""
    username: Text = ""


class _Action(Payload):
    action_id: Text = ""
    value: Text = ""


class _Interaction(Payload):
    type: Text = ""
    user: _User = _User()
    actions: Items[_Action] = Field(default_factory=list)


class _Value(Payload):
    run: str = Field(min_length=1)
    call: str = Field(min_length=1)
    execution: str = Field(min_length=1)


def _payload(body: bytes) -> bytes:
    """Return the JSON in the ``payload`` field of a form."""
    try:
        form = parse_qs(body.decode(errors="replace"), max_num_fields=10)
    except ValueError:
        raise MalformedPayload("the body is not a form") from None
    if "payload" not in form:
        raise MalformedPayload("payload: is missing in the form")
    return form["payload"][0].encode("utf-8", "surrogatepass")
