"""How clock times and dates are written (pure)."""

from __future__ import annotations

import re

ZONES = {
    "utc": 0, "z": 0, "gmt": 0, "wet": 0, "cet": 60, "mez": 60, "cest": 120, "mesz": 120, "eet": 120, "eest": 180,
    "bst": 60, "ist": 330, "jst": 540, "msk": 180, "est": -300,
    "edt": -240, "cst": -360, "cdt": -300, "mst": -420, "mdt": -360, "pst": -480, "pdt": -420, "sgt": 480, "aest": 600,
}  # fmt: skip
CLOCK = re.compile(
    r"(?:(?<![\w:.])|(?<=\d[Tt])|(?<=[\u3040-\u9fff]))(?P<h>\d{1,2})(?::| ?h ?"
    r"|\u6642)(?P<m>[0-5]\d)(?::(?P<s>[0-5]\d)(?:[.,]\d+)?)?"
    r"(?!:?\d|[.,]\d|[ ]?min)(?:[ ]?(?P<half>[ap]\.?m\b\.?))?(?:[ ]?(?:Uhr )?(?P<zone>Z|UTC|GMT|[A-Z]{2,4}T|BST"
    r"|MSK|MEZ|MESZ)\b)?(?P<offset>[ ]?[+-](?:0\d|1[0-4]):?(?:00|15|30|45)(?!\d))?\u5206?"
)
ZONE_NEAR = re.compile(r"\b(?:CE[S]?T|MESZ?|MEZ|EES?T|[ECMP][SD]T|BST|IST|JST|MSK|SGT|AEST)\b")
"""A zone that a line names for several times: first failure at 06:12 (both CEST)."""
ZONE_OF_ALL = re.compile(r"\((?:all |both )?(?:times? )?(?:are )?(?:in )?(?P<zone>[A-Z]{3,4})\)")
"""A zone in a heading or table: Timeline (CEST)."""
LOCAL_LINE = re.compile(r"\blocal times?\b", re.IGNORECASE)
PROJECTED = re.compile(
    r"\b(?:projected|estimated|forecast|predicted|extrapolat\w+|ETA|at (?:this|that|the current) (?:rate|pace"
    r"|speed))\b",
    re.IGNORECASE,
)
"""In a line with a time that lies ahead."""
MONTHS = {
    name: number
    for number, names in enumerate(
        [
            "jan january januar janvier",
            "feb february februar février",
            "mar march märz mars",
            "apr april avril",
            "may mai",
            "jun june juni juin",
            "jul july juli juillet",
            "aug august août",
            "sep sept september septembre",
            "oct october oktober octobre okt",
            "nov november novembre",
            "dec december dezember décembre dez",
        ],
        1,
    )
    for name in names.split()
}
NAMES = "|".join(sorted(MONTHS, key=len, reverse=True))
DATE = re.compile(
    r"(?<![\w.-])(?:(?P<y>\d{4})-(?P<mo>\d\d)-(?P<d>\d\d)"
    rf"|(?P<d2>\d{{1,2}})(?:st|nd|rd|th|\.)?[ ](?:of[ ])?(?P<n2>{NAMES})\b\.?(?:,?[ ]\d{{4}})?"
    rf"|(?P<n3>{NAMES})\.?[ ](?P<d3>\d{{1,2}})(?:st|nd|rd|th)?\b(?!:)(?:,?[ ]\d{{4}})?"
    r"|(?P<d4>\d{1,2})(?P<sep>[./])(?P<mo4>\d{1,2})(?P=sep)(?:20\d\d|(?!\w))(?!\d)"
    r"|(?P<mo5>\d{1,2})\u6708(?P<d5>\d{1,2})\u65e5)(?![\d-])",
    re.IGNORECASE,
)
ABOUT = re.compile(
    r"(?:~|\u2248|\b(?:about|around|approx\.?|approximately|roughly|shortly (?:after|before)|just (?:after|before)"
    r"|circa|ca\.?"
    r"|gegen|vers|nearly|almost|etwa|before|after|by))\s*$",
    re.IGNORECASE,
)
LOCAL = re.compile(
    r"\s*\(?(?:your time|local(?: time)?\b|in [A-Z]\w+|[A-Z]\w+ time\b|Ortszeit|heure locale|hora local)"
)
"""After a time in a zone that results do not name."""
