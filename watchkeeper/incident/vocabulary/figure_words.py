"""What is said around a figure (pure)."""

from __future__ import annotations

import re

ABOUT = re.compile(
    r"(?:~|\u2248|\u00b1|\b(?:about|around|approx\.?|approximately|roughly|circa|ca\.?|some|etwa|rund"
    r"|ungef\u00e4hr|environ|nearly"
    r"|almost|close to|fast|knapp|presque|just|order of|as (?:much|many|high|low) as)|\u7d04|\u307b\u307c)\s*$",
    re.IGNORECASE,
)
OVER = re.compile(
    r"(?:>=?|\u2265|\b(?:over|above|more than|at least|exceed(?:s|ed|ing)?|beyond|greater than|upwards of|past"
    r"|\u00fcber|mehr als"
    r"|mindestens|plus de|au moins|higher than)(?: the)?)\s*$",
    re.IGNORECASE,
)
UNDER = re.compile(
    r"(?:<=?|\u2264|\b(?:under|below|less than|fewer than|at most|up to|within|no more than|unter|weniger als"
    r"|h\u00f6chstens|moins de"
    r"|lower than|nearly|almost|not quite)(?: the)?)\s*$",
    re.IGNORECASE,
)
NUMBERED = re.compile(
    r"(?:\b(?:step|option|phase|round|attempt|section|item|figure|fig|priority|sev|severity|level|tier|top|layer|p"
    r"|no|nr|page"
    r"|schritt|\u00e9tape|number|hypothesis|theory|cause|candidate|part|day|week|q|python|java|kafka|redis"
    r"|postgres(?:ql)?"
    r"|mysql|go|node|jdk|tls|http/|ipv|java|jvm|spring|line|all|another|these|those|both|of|the other)|#)[ .]*$",
    re.IGNORECASE,
)
LIST_MARK = re.compile(r"^[ >|]*(?:[-+][ ]+)?\(?\d{1,2}[.)](?=\s)", re.MULTILINE)
COUNTED = re.compile(
    r"\s{0,3}(?:[a-zA-Z-]+ ){0,2}(?:times|restarts?|retries|x\b|mal\b|fois\b|errors?|exceptions?|failures|crashes"
    r"|timeouts"
    r"|occurrences|\u56de|\u4ef6)",
    re.IGNORECASE,
)
AGO = re.compile(r"\s*(?:ago\b|vor\b|from now|earlier today|\u524d)", re.IGNORECASE)
CERTAIN = re.compile(r"\s*(?:sure|certain|confiden|clear)", re.IGNORECASE)
OR_MORE = re.compile(r"[ ]?(?:\+(?![\w])|or (?:more|higher|above|so)\b|oder mehr\b|ou plus\b)", re.IGNORECASE)
SAME_UNIT = re.compile(
    r"[ ]?(?:/|->|\u2192|-|~|\b(?:of|von|out of|to|bis|auf|vs\.?|and|und|et|from|sur|de|or|oder)\b)[ ]?(?=\d)",
    re.IGNORECASE,
)
"""Between two numbers that share the unit of the second one."""
