"""Units of figures and of the keys of results (pure)."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from watchkeeper.incident.vocabulary.word_lists import word_list

Dimension: TypeAlias = Literal["share", "time", "bytes", "bandwidth", "rate", "cores", "multiple", "count", "any"]
"""What a figure measures; base units: fraction, seconds, bytes, bytes per second, per second, cores, times, one."
" ``any``: unknown."""

K, KI = 1_000.0, 1_024.0
WORDS: dict[Dimension, dict[float, str]] = {
    "share": {
        0.01: "% percent pct prozent pourcent percentage_points percentage_point pp per_cent pour_cent"
        " \u30d1\u30fc\u30bb\u30f3\u30c8",
        0.001: "\u2030 permille",
    },
    "time": {
        1e-9: "ns nanosecond nanoseconds",
        1e-6: "us \u00b5s microsecond microseconds",
        1e-3: "ms msec msecs millisecond milliseconds millis millisekunden millisecondes \u30df\u30ea\u79d2"
        " \u6beb\u79d2",
        1.0: "s sec secs second seconds sekunde sekunden seconde secondes segundo segundos \u79d2",
        60.0: "min mins minute minutes minuten minutos \u5206\u9593 \u5206\u949f \u5206",
        3_600.0: "h hr hrs hour hours stunde stunden heure heures horas \u6642\u9593 \u5c0f\u65f6",
        86_400.0: "d day days tag tage tagen jour jours d\u00edas \u65e5\u9593",
        604_800.0: "week weeks woche wochen semaine semaines",
    },
    "bytes": {
        1.0: "byte bytes octets",
        K: "kb kilobyte kilobytes ko",
        K**2: "mb megabyte megabytes mo",
        K**3: "gb gigabyte gigabytes go",
        K**4: "tb terabyte terabytes",
        KI: "ki kib kio kibibytes",
        KI**2: "mi mib mio mebibyte mebibytes",
        KI**3: "gi gib gio gibibyte gibibytes",
        KI**4: "ti tib tebibytes",
        K / 8: "kbit kbits",
        K**2 / 8: "mbit mbits",
        K**3 / 8: "gbit gbits",
    },
    "bandwidth": {K / 8: "kbps", K**2 / 8: "mbps", K**3 / 8: "gbps"},
    "cores": {1.0: "core cores vcpu vcpus cpus cpu", 1e-3: "millicores millicore mcpu millicpu"},
    "multiple": {
        1.0: "x \u00d7 times_higher times_more times_slower times_faster times_the"
        " times_that times_as fold -fold times_larger"
    },
    "rate": {
        1.0: "rps qps tps req/s requests/s reqs/s errors/s r/s /s anfragen/s ops/s ops/sec req/sec requests/sec"
        " /sec hz",
        1 / 60: "rpm req/min requests/min /min errors/min",
        1 / 3600: "/h /hour",
    },
}
UNITS: dict[str, tuple[Dimension, float]] = {
    word: (dimension, scale)
    for dimension, scales in WORDS.items()
    for scale, words in scales.items()
    for word in words.split()
}
BINARY = {K: KI, K**2: KI**2, K**3: KI**3, K**4: KI**4}
PER = {"second": 1.0, "sec": 1.0, "s": 1.0, "sekunde": 1.0, "seconde": 1.0, "minute": 1 / 60, "min": 1 / 60}
PER |= {"hour": 1 / 3600, "h": 1 / 3600, "stunde": 1 / 3600, "day": 1 / 86_400}
SPAN = "seconds?|sec|seconde|sekunde|s|minutes?|min|hours?|h|stunde|day"
RATE = (
    r"(?:(?!(?:in|within|over|for|of|half|once|after|during|about)\b)[A-Za-z]+[ -]?){0,3}?[ ]{0,3}"
    rf"(?:/[ ]?|\b(?:per|a|an|each|every|pro|par)[ ])(?P<per>{SPAN})\b"
)
NAMED = "|".join(sorted((re.escape(word).replace("_", "[ ]") for word in UNITS), key=len, reverse=True))
NUMBER = r"\d{1,3}(?:[,.' ]\d{3})+(?:[.,]\d+)?(?![\d])|\d+(?:[.,]\d+)?(?:[eE]-?\d+)?"
BYTES = r"(?i:[kmgt]i?b|[kmgt]i|[kmg]bits?|bytes?)|B"
FIGURE = re.compile(
    rf"(?<![A-Za-z0-9_.,:/#@])(?<![A-Za-z0-9\x01]-)(?P<number>{NUMBER})"
    r"(?P<scale>[ ]?(?:k|K|M|bn|thousand|million|billion|tausend|Millionen|Million|millions|millones|mill\u00f3n|mil"
    r"|mille|Mio\.?(?= [A-Z])|\u4e07)(?![A-Za-z0-9]))?"
    rf"(?:[ -]{{0,4}}(?:(?P<bytes>{BYTES})(?:/[ ]?|[ ](?:per|an?|each|every|pro|par)[ ])(?P<span>{SPAN})\b"
    rf"|(?P<rate>{RATE})|(?P<unit>(?i:{NAMED})|B|KB|[GT])(?![A-Za-z0-9/])))?"
)
"""A number with its unit, if it has one. ``1,234``, ``1.234`` and ``1 234`` are all read as they may be meant."""
SCALES = {
    "k": 1e3,
    "thousand": 1e3,
    "tausend": 1e3,
    "m": 1e6,
    "million": 1e6,
    "millionen": 1e6,
    **dict.fromkeys(["mio", "millions", "millones", "mill\u00f3n"], 1e6),
    **dict.fromkeys(["mil", "mille"], 1e3),
    "\u4e07": 1e4,
    "bn": 1e9,
    "billion": 1e9,
}
DECIMAL_COMMA = re.compile(r"(?<![\d.,])\d+,\d{1,2}(?![\d,])")
COMMA_LANGUAGE = re.compile(
    r"\b(?:der|die|das|von|den|ich|habe|wurden?|und|ist|sind|seit|mit|nicht|wurde|le|les|est|sont|et|une|des|du"
    r"|depuis|avec|el|los|las"
    r"|desde|por|est\u00e1)\b",
    re.IGNORECASE,
)
WORD_NUMBERS = {
    name: number
    for number, name in enumerate(
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"], 1
    )
}
COMPOUND = re.compile(
    rf"(?<![\w.,:])(?P<n1>\d{{1,4}}|an?(?= (?:day|hour|minute) )|{'|'.join(WORD_NUMBERS)})[ -]?(?P<u1>d|days?|h|hrs?"
    rf"|hours?|m|mins?"
    rf"|minutes?)(?:,? and |,? )?"
    rf"(?P<n2>\d{{1,2}}|{'|'.join(WORD_NUMBERS)}) ?(?P<u2>h|hrs?|hours?|m|mins?|minutes?|s|secs?|seconds?)"
    r"(?:(?:,? and |,? )?(?P<n3>\d{1,2}) ?(?P<u3>s|secs?|seconds?))?(?!\w)"
)
"""A duration in two or three units: 3 h 40 min, 51m20s."""
GROUPS = re.compile(r"\d{1,3}(?:[,.' ]\d{3})+")
HINTS: dict[str, tuple[Dimension, float]] = {
    **dict.fromkeys(["percent", "percentage", "pct"], ("share", 0.01)),
    **dict.fromkeys(["ratio", "fraction", "share"], ("share", 1.0)),
    **dict.fromkeys(["ms", "millis", "milliseconds", "msec"], ("time", 1e-3)),
    **dict.fromkeys(["us", "micros", "microseconds"], ("time", 1e-6)),
    **dict.fromkeys(["ns", "nanos", "nanoseconds"], ("time", 1e-9)),
    **dict.fromkeys(["seconds", "secs", "sec", "s"], ("time", 1.0)),
    **dict.fromkeys(["minutes", "mins", "min"], ("time", 60.0)),
    **dict.fromkeys(["hours"], ("time", 3_600.0)),
    **dict.fromkeys(["days"], ("time", 86_400.0)),
    **dict.fromkeys(["bytes"], ("bytes", 1.0)),
    **dict.fromkeys(["kb"], ("bytes", 1e3)),
    **dict.fromkeys(["mb"], ("bytes", 1e6)),
    **dict.fromkeys(["gb"], ("bytes", 1e9)),
    **dict.fromkeys(["kib", "ki"], ("bytes", KI)),
    **dict.fromkeys(["mib", "mi"], ("bytes", KI**2)),
    **dict.fromkeys(["gib", "gi"], ("bytes", KI**3)),
    **dict.fromkeys(["rps", "qps", "tps", "rate"], ("rate", 1.0)),
    **dict.fromkeys(["rpm"], ("rate", 1 / 60)),
    **dict.fromkeys(["cores", "cpu"], ("cores", 1.0)),
    **dict.fromkeys(["millicores"], ("cores", 1e-3)),
    **dict.fromkeys(
        word_list(
            "count total restarts restart shown replicas code port line exit_code retries attempts number"
            " generation desired ready available id consumers threads workers pods nodes members partitions instances"
            " processes shards brokers hosts containers"
        ),
        ("count", 1.0),
    ),
}
KEY_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
SHARED = frozenset({"error", "failure", "hit", "miss", "success", "fail", "errors"})
"""What a rate under such a key is a share of: all requests."""
LETTERS: dict[str, list[tuple[Dimension, float]]] = {
    "m": [("time", 60.0), ("cores", 1e-3)],
    "k": [("count", K), ("bytes", K)],
    "K": [("count", K), ("bytes", K), ("bytes", KI)],
    "M": [("count", K**2), ("bytes", K**2), ("bytes", KI**2)],
    "G": [("bytes", K**3), ("bytes", KI**3)],
    "T": [("bytes", K**4), ("bytes", KI**4)],
}
