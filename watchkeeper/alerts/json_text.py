"""The text of a JSON value that a sender may write as a text, an object with a name, or a list of both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from watchkeeper.alerts.payload import Payload, Text, parse_model

_NAMES = ("name", "title", "summary", "displayName", "display_name", "value", "label", "slug", "key", "id")
_STATE_NAMES = ("status", "state", "current", "new", "to", "name", "label", "displayName", "display_name", "value")
_LABEL_NAMES = ("key", "name", "label", "tag")
_MAX_ITEMS = 20


def name_of(value: object) -> object:
    """Return a scalar as it is, of an object its name, and of a list the names of its items."""
    if isinstance(value, Mapping):
        return next((value[name] for name in _NAMES if _is_scalar(value.get(name))), "")
    if isinstance(value, list):
        return ", ".join(text for item in value[:_MAX_ITEMS] if (text := text_of(item)))
    return value


def text_of(value: object) -> str:
    """Return the name of a value as text."""
    return parse_model(_One, {"text": name_of(value)}).text


def state_text(value: object) -> str:
    """Return the text of a status. Of an object such as ``{"from": .., "to": ..}`` the new state counts."""
    if isinstance(value, Mapping):
        value = next((value[name] for name in (*_STATE_NAMES, "slug", "key", "id") if _is_scalar(value.get(name))), "")
    return text_of(value)


def label_values(values: Iterable[object]) -> dict[str, str]:
    """Return the labels of objects, of lists of pairs, and of ``name:value`` texts. The first one of a name counts."""
    labels: dict[str, object] = {}
    for value in values:
        for name, held in _pairs(value):
            labels.setdefault(name, held)
    return parse_model(_Labels, {"labels": labels}).labels


def _pairs(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        yield from ((name, held) for name, held in value.items() if not isinstance(held, dict | list))
    elif isinstance(value, list):
        for item in value:
            yield from _pairs_of_item(item)
    elif isinstance(value, str):
        for item in value.split("," if "," in value else None):
            yield from _pairs_of_item(item)


def _pairs_of_item(item: object) -> Iterator[tuple[str, object]]:
    if isinstance(item, Mapping):
        name = next((item[key] for key in _LABEL_NAMES if isinstance(item.get(key), str)), None)
        if name is not None and not isinstance(item.get("value"), dict | list):
            yield name, item.get("value")
    elif isinstance(item, str):
        for mark in (":", "="):
            name, found, held = item.strip().partition(mark)
            if found and name and held:
                yield name.strip(), held.strip()
                return


def _is_scalar(value: object) -> bool:
    return value is not None and value != "" and not isinstance(value, dict | list)


class _One(Payload):
    text: Text = ""


class _Labels(Payload):
    labels: dict[str, Text]
