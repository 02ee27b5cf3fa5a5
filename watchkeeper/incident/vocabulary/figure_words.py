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
    r"|mysql|go|node|jdk|tls|ssl|http/?|rfc|ipv|java|jvm|spring|line"
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
    r"\b(?:confidence|confident|probability|likelihood|certainty|certain|chance)\b[^.;|\n]{0,30}$"
    r"|\b(?:likely|probable)(?: \w+){0,2} \($",
    re.IGNORECASE,
)
"""Before a share that says how sure the writer is."""
TOTAL = re.compile(
    r"\b(?:total\w*|altogether|in all|overall|sum|combined|together|insgesamt)\b|\u03a3|=", re.IGNORECASE
)
"""Near a figure that is a sum."""
OF = re.compile(r"[ ]of\b", re.IGNORECASE)
"""After a share of something."""
TIMES_SIGN = re.compile(
    r"(?:(?:^|[\s(])[\u00d7x] ?|\bfactor (?:of )?(?:about |around |roughly |~ ?|almost |nearly |over )?)$"
)
"""Before a multiple: \u00d714."""
PERCENTILE = re.compile(r"\bp(\d{2})(?:[.]?(\d))?\b", re.IGNORECASE)
ESTIMATE_SPANS = ("hour", "hours", "h", "day", "stunde")
THINGS = re.compile(
    r" (?:[a-z]+ ){0,2}(?:pods|nodes|replicas|instances|hosts|shards|partitions|consumers|workers|containers"
    r"|servers|brokers"
    r"|endpoints|targets|processes|gpus|devices|restarts)\b| of (?:the )?\d",
    re.IGNORECASE,
)
"""After a number of things that results list or count."""
EXIT_CODE = re.compile(r"128 ?\+ ?\d")
"""128 + 9: how exit codes of signals are made."""
HALF = re.compile(r"[\u00bc-\u00be]| and a (?:half|quarter)\b| 1/2\b")
CODES = frozenset(
    {200, 201, 204, 301, 302, 304, 400, 401, 403, 404, 408, 409, 410, 413, 422, 429, 499, 500, 501, 502, 503, 504}
)
EXPRESSION = re.compile(
    r"(?<![\w.,])(\d[\d.,]*(?:[ ]?[%\w/]{0,8})(?:[ ]*[-+x*\u00d7\u00b7/\u00f7][ ]*\d[\d.,]*(?:["
    r" ]?[%\w/]{0,8}))+)[ ]*(?:=|\u2248|~|is (?:about|roughly|around)?)[ ]*(?:~|about )?$"
)
"""A calculation before its result: ``20 x 94 / 65 =``."""
CALCULATED_SCALES = (
    1.0,
    1e-2,
    1e2,
    1e-3,
    1e3,
    1e-6,
    1e6,
    1e-9,
    1 / 1024,
    1 / 1024**2,
    1024.0,
    60.0,
    1 / 60,
    3_600.0,
    1 / 3_600,
)
"""Between the units of a calculation and those of its result."""
RATIO_AFTER = re.compile(
    r"\)? (?:of|above|below|over|under|more|less|higher|lower|fewer|faster|slower|larger|smaller|increase"
    r"|decrease|drop|rise"
    r"|growth|reduction|jump|up|down|than|share|headroom|remain\w*|free|left)\b",
    re.IGNORECASE,
)
RATIO_BEFORE = re.compile(
    r"(?:[+\u2248~=(]|[-] ?|\b(?:by|up|down|remaining|rest|other|another|i\.e\.|fell|rose|grew|dropped"
    r"|increased|decreased"
    r"|shrank|reduced|only|just|about|roughly|nearly|almost|around|leaves|than)) ?(?:about |around |roughly "
    r"|some |a |the |another |only |just |~ ?|over |almost |nearly )?$",
    re.IGNORECASE,
)
"""Around a share that the report calls one of something."""
WORD_BEFORE = re.compile(r"([A-Za-z]{2,20})[ ]$")
RECKONED = re.compile(
    r"[=\u2248~\u00d7*\u2192]|->| x \d|\b(?:about|around|roughly|approximately|some|nearly|almost|so|i\.e\."
    r"|that is|that's|hence|thus"
    r"|therefore|makes?|equals?|corresponds?|would|works out|total\w*|sum|each|per|times|together|altogether"
    r"|rund|etwa|also"
    r"|environ|unos|unas)\b",
    re.IGNORECASE,
)
RECKONED_AFTER = re.compile(
    r"[\w ]{0,20}?(?:\b(?:per|each|every|apiece|times|in total|altogether|on average)\b|/|\u00d7)", re.IGNORECASE
)
"""Around a figure that a sentence calculates."""
RECKONED_LATER = re.compile(r"[^\n]{0,60}?[(][^)\n]{0,40}\u00d7")
TIMES_AFTER = re.compile(
    r"(?<=\.\d) times\b| times (?:theirs?|its|his|our|what|those|larger|bigger|smaller|longer|the)\b", re.IGNORECASE
)
KNOWN_AFTER = re.compile(r"[^.;|\n]{0,15}\b(?:by default|default\b)", re.IGNORECASE)
PART_OF = re.compile(r"(?P<part>\d[\d,.]*)[ ]?[\w/]{0,8} (?:out )?of (?:the |all |these |those )?$", re.IGNORECASE)
"""Before a whole: 56.4 of 917.7."""
FACTOR_AFTER = re.compile(r" ?\d")
ARTICLE = re.compile(r"\ban? (?:HTTP )?$", re.IGNORECASE)
"""Before the code of an answer that a server would give: get a 429."""
DIFFERS = re.compile(
    r"\b(?:about|around|roughly|net|by|another|extra|additional|gap|difference|delta|rose|grew|grown"
    r"|increase[sd]?|decrease[sd]?|fell"
    r"|dropped|adds?|added|within"
    r"|for|took|takes|lasted|over|later|after|left|remain\w*|free|more|less|fewer|longer|shorter|slower|faster"
    r"|higher|lower"
    r"|earlier|apart|above|below|behind|ahead|older|younger|since|between|beyond|past|short|too|than|total\w*"
    r"|sum|altogether"
    r"|together|combined|away|exceed\w*|missing|spare|used|headroom|growth|freed|reclaimed|saved|lost|of)\b"
    r"|[+\u2248~=]|[-\u2192] ?\0",
    re.IGNORECASE,
)
"""Around a figure that may be a difference or a sum."""
PER_ONE = re.compile(r" [a-z]+ (?:per|each|for each|for every) [a-z]", re.IGNORECASE)
"""After a mean: 1.6 events per user."""
UNIT_BEHIND = re.compile(r"\b(?:down|up) from (?:about |around |roughly |nearly |almost |over |~ ?)?$", re.IGNORECASE)
"""Before a number whose unit is that of the figure before it: 25 minutes, down from 36."""
ONE_IN = re.compile(
    r"(?<![\w.,:/])(?P<part>\d{1,3}) (?:in|of|out of|in every|of every|out of every) (?P<whole>10{1,4}|10?,000|[25]0"
    r"|[25]00)"
    r"(?= [a-z])"
)
"""A share written as a part of a round number: 19 in 1,000 requests."""
PART_WRITTEN = re.compile(r"(?<![\w./:-])(\d{1,6})/(\d{1,6})(?![\w./:-]*\w)")
"""A part of a whole: 1/4."""
EACH_MORE = re.compile(r"\b(?:each|every) (?:extra|additional|further|more) $", re.IGNORECASE)
"""Before an amount that the writer chooses: each extra 10 GiB."""
EXIT_BEFORE = re.compile(r"\bexit(?:ed|s)? (?:code|status|with(?: code| status)?)[ :=]{1,3}$", re.IGNORECASE)
BUDGET = re.compile(r"[ ](?:rolling )?(?:error[ -])?(?:budget|slo\b|compliance|objective)", re.IGNORECASE)
"""After the days of an objective, which are general knowledge."""
OBJECTIVE = re.compile(r"[ ]?(?:availability |latency )?(?:slo\b|sla\b|objective|target|availability)", re.IGNORECASE)
"""After a share that is an objective."""
EQUATION = re.compile(
    r"(?<![\w.,])(\d[\d.,]*[^=\u2248\n\d]{0,24}(?:[-+x*\u00d7\u00b7/\u00f7][ ]*\d[\d.,]*[^=\u2248\n\d]{0,12})+)"
    r"[=\u2248][ ]*(?:~|about )?(\d[\d.,]*\d|\d)"
)
"""A calculation with its result."""
