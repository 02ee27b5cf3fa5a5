"""How a report names a team (pure)."""

from __future__ import annotations

import re

from watchkeeper.incident.vocabulary.word_lists import word_list

GENERIC = frozenset(
    word_list(
        "the a an our its their right responsible owning relevant on call oncall on-call duty primary"
        " secondary appropriate service engineer engineers team same whole entire owner owners current"
        " corresponding and of for to about via with by incident page this that responder platform's"
        " human person people somebody someone everyone them him her it in has have been was is are were had also"
        " already both critical successfully affected concerned"
    )
)
TEAM = re.compile(
    r"(?<![\w-])(?P<name>[\w-]+(?:[ ][\w-]+)?)(?:'s)?[ ](?P<noun>teams?|on-?call|engineers?|squad|sres?(?! team)"
    r"|crew)(?![\w-])",
    re.IGNORECASE,
)
TEAM_NAMED = re.compile(
    r"(?:\b(?:paged|notified|alerted|informed|woke|contacted|pinged|to|and|by|with)[ :]{1,3}|^\W*)team["
    r" ]\"?(?P<name>[\w-]+)\"?",
    re.IGNORECASE,
)
TEAM_OF = re.compile(
    r"\b(?:on-?call(?: engineers?| team)?|team|engineers?) (?:for|of|behind) (?:the )?\"?(?P<name>[\w-]+)\"?",
    re.IGNORECASE,
)
NAMES = re.compile(
    r"[ :]+(?:the )?(?P<names>\"?[a-z][\w-]*\"?[ ]*(?:(?:,|and|&"
    r"|, and)[ ]+(?:the )?\"?[a-z][\w-]*\"?[ ]*)+)(?=[,.;()!|/]|$|\n| -|teams?\b)"
)
"""Several teams: ``paged search and web``."""
DIRECT = re.compile(r"[ :]+(?:the )?\"?(?P<name>[a-z][\w-]*)\"?(?=\s*(?:[,.;()!]|$|\n| -))")
SHARED_PARTS = frozenset(
    word_list("core team teams oncall on call eng sre prod primary secondary service services api backend dev ops duty")
)
"""Parts that names of different teams share."""
LONG_TEXTS = {"summary", "message", "text", "details", "description", "reason", "title", "body"}
