"""How a report says that there were no deploys (pure)."""

from __future__ import annotations

import re

DEPLOY_TOOL = re.compile(r"deploy|release|rollout", re.IGNORECASE)
_DEPLOYS = r"(?:deploy(?:ment)?s?|releases?|rollouts?)"
NO_DEPLOYS = re.compile(
    rf"\bno (?:new )?{_DEPLOYS}\b(?! (?:tool|\w+ed\b|\w+ing\b|back|before|after|between|other|was|were|is|needed|data))"
    rf"|\bnot (?:been )?(?:re)?deployed\b"
    rf"|\b{_DEPLOYS}[ ]?(?:[(:=-]|were|was|are)[ ]?(?:none|zero|0)\b",
    re.IGNORECASE,
)
SPAN = re.compile(r"(\d+) ?(hours?|hrs?|h|days?|d)\b", re.IGNORECASE)
PART = re.compile(
    r"\b(?:today|tonight|yesterday|morning|evening|night|since|before|after|around|near|within|during|between"
    r"|at the time"
    r"|shortly|immediately|right|in the (?:last|past|previous|preceding)|recent\w*|week|hour|minutes?|window|other"
    r"|further|more|else)\b",
    re.IGNORECASE,
)
"""Words that limit a statement to a part of the time that was read."""
