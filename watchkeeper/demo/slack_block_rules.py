"""Slack's rules for the blocks of a message."""

from __future__ import annotations

from typing import Any

MAX_BLOCKS = 50
MAX_TEXT = 9_600
"""Most characters of all blocks of a message together."""

_KINDS = ("header", "section", "context", "actions", "divider")
_LONGEST = {"header": 150, "section": 3_000, "field": 2_000, "context": 3_000, "button": 75}
_LONGEST_MEMBER = {"value": 2_000, "url": 3_000, "action_id": 255}


def find_faults(blocks: object) -> list[str]:
    """Return the errors that Slack reports for some blocks."""
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        return ["blocks must be a list of objects"]
    faults = [fault for n, block in enumerate(blocks) for fault in _block(block, f"/blocks/{n}")]
    if len(blocks) > MAX_BLOCKS:
        faults.append(f"at most {MAX_BLOCKS} items allowed [json-pointer:/blocks]")
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    if len(set(ids)) < len(ids):
        faults.append("block_id must be unique [json-pointer:/blocks]")
    return faults


def _block(block: dict[str, Any], at: str) -> list[str]:
    match block.get("type"):
        case "header":
            return _text(block.get("text"), "header", f"{at}/text", plain=True)
        case "section":
            fields = block.get("fields", [])
            faults = [fault for n, item in enumerate(fields) for fault in _text(item, "field", f"{at}/fields/{n}")]
            if len(fields) > 10 or not (fields or "text" in block):
                faults.append(f"needs a text, or 1 to 10 fields [json-pointer:{at}]")
            return faults + (_text(block["text"], "section", f"{at}/text") if "text" in block else [])
        case "context":
            return [fault for item in block["elements"] for fault in _text(item, "context", f"{at}/elements")]
        case "actions":
            return _actions(block, at)
        case "divider":
            return []
        case kind:
            return [f"unsupported type: {kind}; known: {', '.join(_KINDS)} [json-pointer:{at}]"]


def _actions(block: dict[str, Any], at: str) -> list[str]:
    buttons = block.get("elements") or []
    faults = [] if 1 <= len(buttons) <= 25 else [f"needs 1 to 25 elements [json-pointer:{at}]"]
    ids = [button.get("action_id") for button in buttons]
    if len(set(ids)) < len(ids):
        faults.append(f"action_id must be unique [json-pointer:{at}]")
    for button in buttons:
        faults += _text(button.get("text"), "button", f"{at}/elements", plain=True)
        if button.get("style", "primary") not in ("primary", "danger"):
            faults.append(f"style must be primary or danger [json-pointer:{at}]")
        for name, longest in _LONGEST_MEMBER.items():
            if not 0 < _units(button.get(name, "x")) <= longest:
                faults.append(f"{name} must have 1 to {longest} characters [json-pointer:{at}]")
        if not button.get("url", "https://").startswith(("http://", "https://")):
            faults.append(f"invalid url [json-pointer:{at}]")
    return faults


def _text(text: Any, where: str, at: str, *, plain: bool = False) -> list[str]:
    kinds = ("plain_text",) if plain else ("plain_text", "mrkdwn")
    if not isinstance(text, dict) or text.get("type") not in kinds or not isinstance(text.get("text"), str):
        return [f"must be a text of type {' or '.join(kinds)} [json-pointer:{at}]"]
    if not text["text"].strip():
        return [f"must be more than 0 characters [json-pointer:{at}]"]
    if _units(text["text"]) > _LONGEST[where]:
        return [f"must be less than {_LONGEST[where] + 1} characters [json-pointer:{at}]"]
    return []


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
