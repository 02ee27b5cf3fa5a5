"""Removal of secrets from texts: the one place that knows how a secret can be written (pure).

A secret of the settings is found as it is and in the forms that clients and servers give it: JSON, URL, HTML, base64.
A text that has the shape of a well-known service's key is a secret too, although no setting names it.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from html import escape
from urllib.parse import quote, quote_plus, unquote

PLACEHOLDER = "(secret)"

SHORTEST_SECRET = 6
"""Characters. A shorter secret is also an ordinary word, and would be replaced everywhere."""

_JSON_LEVELS = 4
"""How often JSON is nested in JSON: a log line, in a tool result, in a message, in a request."""

_JAVASCRIPT_SAFE = "!'()*"
"""Signs that JavaScript's ``encodeURIComponent`` leaves as they are."""

_URL_SAFE = str.maketrans("+/", "-_")

_KEY_SHAPES: tuple[tuple[str, str], ...] = (
    ("sk-", r"sk-[\w-]{16,}"),
    ("gh", r"gh[opsur]_\w{20,}"),
    ("github_pat_", r"github_pat_\w{20,}"),
    ("glpat-", r"glpat-[\w-]{16,}"),
    ("glc_", r"glc_[\w+/=]{20,}"),
    ("glsa_", r"glsa_\w{20,}"),
    ("xox", r"xox[abeoprs]-[\w-]{10,}"),
    ("xapp-", r"xapp-[\w-]{10,}"),
    ("AKIA", r"AKIA[0-9A-Z]{16}"),
    ("ASIA", r"ASIA[0-9A-Z]{16}"),
    ("AIza", r"AIza[\w-]{30,}"),
    ("npm_", r"npm_\w{30,}"),
    ("hf_", r"hf_\w{20,}"),
    ("whsec_", r"whsec_[\w+/=]{16,}"),
    ("k_", r"[rs]k_(?:live|test)_\w{10,}"),
    ("dp.", r"dp\.[a-z]{2}\.\w{20,}"),
    ("hvs.", r"hvs\.[\w-]{20,}"),
    # Starts once in a run of the characters that it repeats: the time is linear in any text.
    ("eyJ", r"(?<![\w-])eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+"),
    ("https://hooks.slack.com/", r"https://hooks\.slack\.com/[\w/-]+"),
)
"""Keys of services that engineers on call use: a part that each such key contains, and the pattern of the whole."""

_SECRET_CONTEXTS: tuple[tuple[str, str], ...] = (
    ("PRIVATE KEY-----", r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"),
    ("earer ", r"(?<=[Bb]earer )[\w.~+/=-]{12,}"),
    # With a password, which may contain an unquoted @ or :, or with a token instead of a user.
    ("://", r"""(?<=://)(?:[^\s/?#:@"'<>]*:[^\s/?#"'<>]+|[^\s/?#:@"'<>]{16,})(?=@)"""),
)
"""Texts that are secret because of where they appear: a private key, a bearer token, the user and password of a URL."""

_USER_INFO = re.compile(r"""(?<=://)([^\s/?#"'<>]*)@""")

SHORTEST_TOKEN = 16
"""Characters from which the user of an address without a password is a token."""


def public_address(text: str) -> str:
    """Return an address, or a text with addresses, without their users and passwords."""
    return _USER_INFO.sub("", text)


def address_secrets(address: str) -> Iterator[str]:
    """Yield the passwords in an address, as they are written and decoded, and a token instead of a user."""
    for info in _USER_INFO.findall(address):
        user, colon, password = info.partition(":")
        secret = password if colon else user if len(user) >= SHORTEST_TOKEN else ""
        yield from {secret, unquote(secret)} - {""}


_PATTERNS = [
    *((part, re.compile(rf"(?<![A-Za-z0-9]){pattern}", re.ASCII)) for part, pattern in _KEY_SHAPES),
    *((part, re.compile(pattern, re.ASCII)) for part, pattern in _SECRET_CONTEXTS),
]


class Redactor:
    """Replaces the secrets in a text by a placeholder."""

    def __init__(self, secrets: Iterable[str], placeholder: Callable[[str], str] = lambda secret: PLACEHOLDER) -> None:
        """Prepare for the secrets of the settings; those shorter than ``SHORTEST_SECRET`` are ignored.

        ``placeholder`` returns the text that replaces a secret.
        """
        long_enough = {secret for secret in secrets if len(secret) >= SHORTEST_SECRET}
        self.secrets = sorted(long_enough, key=lambda secret: (-len(secret), secret))
        """The secrets of the settings, the longest first."""
        forms = {form: secret for secret in reversed(self.secrets) for form in written_forms(secret)}
        # The longest form first: one secret may be a part of another.
        self._forms = sorted(forms.items(), key=lambda item: -len(item[0]))
        self._placeholder = placeholder

    def text(self, text: str) -> str:
        """Return a text without the secrets of the settings and without anything that has the shape of a key."""
        text = self.known(text)
        for part, pattern in _PATTERNS:
            if part in text:
                text = pattern.sub(lambda match: self._placeholder(match[0]), text)
        return text

    def known(self, text: str) -> str:
        """Return a text without the secrets of the settings. JSON text stays valid JSON."""
        for form, secret in self._forms:
            if form in text:
                text = text.replace(form, self._placeholder(secret))
        return text

    def json(self, value: object) -> object:
        """Return a JSON value without secrets in its strings and keys; the same object if it has none."""
        # One search of all strings together takes a fifth of the time that one search of each takes.
        return self._json(value) if self._contains_secret("\0".join(_strings(value))) else value

    def _json(self, value: object) -> object:
        match value:
            case str():
                return self.text(value)
            case dict():
                return {self.text(key): self._json(item) for key, item in value.items()}
            case list():
                return [self._json(item) for item in value]
            case _:
                return value

    def _contains_secret(self, text: str) -> bool:
        return any(form in text for form, _ in self._forms) or any(
            part in text and pattern.search(text) for part, pattern in _PATTERNS
        )


def _strings(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for key, item in value.items():
                yield key
                yield from _strings(item)
        case list():
            for item in value:
                yield from _strings(item)


def written_forms(secret: str) -> Iterator[str]:
    """Yield the forms in which a secret may be written: as it is, in JSON, in a URL, in HTML, in base64."""
    yield secret
    yield from _in_html(secret)
    for quoted in (quote(secret), quote(secret, safe=""), quote(secret, safe=_JAVASCRIPT_SAFE), quote_plus(secret)):
        yield quoted
        yield re.sub("%..", lambda escaped: escaped[0].lower(), quoted)
    yield secret.replace("/", r"\/")  # PHP escapes the slash in JSON
    for ascii_only in (True, False):
        written = secret
        for _ in range(_JSON_LEVELS):
            written = json.dumps(written, ensure_ascii=ascii_only)[1:-1]
            yield written
            yield re.sub("[<>&]", lambda sign: f"\\u{ord(sign[0]):04x}", written)  # Go escapes these in JSON
    yield from _in_base64(secret.encode(errors="surrogatepass"))


def _in_html(secret: str) -> Iterator[str]:
    escaped = escape(secret)
    yield escaped
    yield escape(secret, quote=False)
    yield escaped.replace("&#x27;", "&#39;").replace("&quot;", "&#34;")


def _in_base64(secret: bytes) -> Iterator[str]:
    """Yield the part of a secret's base64 that does not depend on its neighbours, such as the user name in ``Basic``.

    Base64 writes three bytes as four characters, so the part differs with the secret's offset in such a group.
    """
    for offset in range(3):
        first, last = -(-offset * 8 // 6), (offset + len(secret)) * 8 // 6
        encoded = b64encode(bytes(offset) + secret)[first:last].decode()
        yield encoded
        yield encoded.translate(_URL_SAFE)
