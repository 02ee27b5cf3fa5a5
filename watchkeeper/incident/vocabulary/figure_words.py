"""What is said around a figure (pure)."""

from __future__ import annotations

import re

ABOUT = re.compile(
    r"(?:~|\u2248|\u00b1|\b(?:about|around|approx\.?|approximately|roughly|circa|ca\.?|some|etwa|rund"
    r"|ungef\u00e4hr|environ|unos|unas|aproximadamente|casi|alrededor de|cerca de|gut|quelque|nearly"
    r"|almost|close to|fast|knapp|presque|just|order of|as (?:much|many|high|low) as)|\u7d04|\u307b\u307c)\s*$",
    re.IGNORECASE,
)
OVER = re.compile(
    r"(?:>=?|\u2265|\b(?:over|above|more than|at least|exceed(?:s|ed|ing)?|beyond|greater than|upwards of|past"
    r"|\u00fcber|mehr als"
    r"|mindestens|plus de|au moins|m\u00e1s de|al menos|higher than)(?: the)?)\s*$",
    re.IGNORECASE,
)
UNDER = re.compile(
    r"(?:<=?|\u2264|\b(?:under|below|less than|fewer than|at most|up to|within|no more than|unter|weniger als"
    r"|h\u00f6chstens|moins de|menos de|casi"
    r"|lower than|nearly|almost|not quite)(?: the)?)\s*$",
    re.IGNORECASE,
)
NUMBERED = re.compile(
    r"(?:\b(?:step|option|phase|round|attempt|section|item|figure|fig|priority|sev|severity|level|tier|top|layer|p"
    r"|no|nr|page"
    r"|schritt|\u00e9tape|number|hypothesis|theory|cause|candidate|part|day|week|q|python|java|kafka|redis"
    r"|postgres(?:ql)?"
    r"|mysql|go|node|jdk|tls|ssl|http/?|rfc|ipv|java|jvm|spring|line|all|another|these|those|both|of|the other"
    r"|kubernetes|k8s|ubuntu|debian|linux|ruby|php|rust|scala|django|rails|mongodb|elasticsearch|nginx|envoy|istio)|#)"
    r"(?:[ .]*\d[\d.]*[ ]?(?:and|or|und|oder|et|y|,|/|-|to))?[ .]*$",
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
WELL_KNOWN = re.compile(
    r"\b(?:default|usual(?:ly)?|standard|typical(?:ly)?|normally|generally|stands for)\b[^.;|]{0,40}$", re.IGNORECASE
)
"""Before a figure that is general knowledge."""
PORT = re.compile(r"\bport[s ]{1,2}$", re.IGNORECASE)
PORTS = frozenset(
    {22, 25, 53, 80, 443, 465, 587, 636, 993, 1433, 2181, 2379, 3000, 3306, 4222, 4317, 5000, 5432, 5672, 6379, 6443}
    | {8000, 8080, 8081, 8443, 9000, 9042, 9090, 9092, 9093, 9200, 10250, 11211, 15672, 27017}
)
HTTP_STATUSES = re.compile(r"[1-5]\d\ds$")
"""``503s`` are answers, not seconds."""
COMPARED = re.compile(
    r"[^.;|\n\d]{0,12}\b(?:the|of|above|below|over|under|than|as)\b[^.;|\n\d]{0,40}(?=\d)", re.IGNORECASE
)
"""Between a multiple or share and the number that it is relative to."""
CERTAINTY = re.compile(
    r"\b(?:confidence|confident|probability|likelihood|certainty|certain|chance)\b[^.;|\n]{0,30}$", re.IGNORECASE
)
"""Before a share that says how sure the writer is."""
