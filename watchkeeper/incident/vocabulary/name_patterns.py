"""How names, versions and incident numbers are written (pure)."""

from __future__ import annotations

import re

CITATION = re.compile(r"(?<![\w.])(r\d{1,4}\.\d{1,3})(?![\w.]*\w)")
FAILED = re.compile(
    r"\b(?:fail\w*|den(?:y|ied)|(?<!% )(?<!\bno )error\w*(?! rates?\b)|refus\w*|reject\w*|expire\w*|timed out"
    r"|time-?out|not|no (?:data|answer|result|response|information|reply|access|read\w*|metrics?)|never|unknown"
    r"|could|can't"
    r"|cannot|wait\w*|unavailable|without|blocked|unsuccessful\w*)\b",
    re.IGNORECASE,
)
INCIDENT = re.compile(
    r"(?<![\w-])(?:(?P<prefix>[A-Z][A-Z0-9]{1,9})[- ]?(?P<number>\d{1,9})|(?i:incident|ticket|case)(?i: number|"
    r" no\.?| id)?[ ]?[:#]?[ ]?"
    r"#?(?P<bare>\d{2,9}))(?![\w-]|\.\d)"
)
HASH_NUMBER = re.compile(r"(?<![\w&/#])#(?P<number>\d{3,9})(?![\w-]|\.\d)")
"""The number of an incident, ticket or pull request: #88123."""
INCIDENT_PREFIXES = {
    "INC",
    "INCIDENT",
    "TICKET",
    "PD",
    "OPS",
    "SEV",
    "CASE",
    "ISSUE",
    "PAGE",
    "IM",
    "CHG",
    "PRB",
    "SRE",
    "JIRA",
}
DATED = re.compile(r"(?<![\w.-])\d{4}([.-])\d\d\1\d\d[.-]\d{1,4}(?![\w:-])")
"""A version that is a date with a number: ``2026-07-27.3``."""
VERSION = re.compile(
    r"(?<![\w.])(?:[vV]\d+(?:\.\d+)*(?:[-+][0-9A-Za-z.-]*[0-9A-Za-z])?"
    r"|\d+(?:\.\d+){2,}(?:[-+][0-9A-Za-z.-]*[0-9A-Za-z])?)(?![\w])"
)
BACK_TO = re.compile(r"\b(?:back|revert\w*|downgrad\w*|return\w*)\b[^.;\n]{0,40}$", re.IGNORECASE)
COMMIT = re.compile(r"(?<![\w.-])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}(?![\w-])")
CAMEL = re.compile(  # "CrashLoopBackOff-like" is a comparison.
    r"(?<![\w.$/-])[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*(?![\w$]|-(?:like|style|type)\b)"
)
HUMPS = re.compile(r"[a-z0-9][A-Z]|[A-Z]{2,}[a-z]{2,}")
FAULT = re.compile(
    r"(?:Exception|Error|Failure|Fault|Killed|BackOff|Panic|Timeout|Evicted|Exceeded|Pressure|Pull|Scheduling|Mount"
    r"|Unavailable|Unreachable|Denied)s?$"
)
WORDS = re.compile(
    r"(?:PagerDuty|GitHub|GitLab|PostgreSQL|JavaScript|TypeScript|OpenTelemetry|MySQL|MongoDB|RabbitMQ|ArgoCD"
    r"|DevOps)$"
)
HYPHENATED = re.compile(r"(?<![\w.$/@-])(?:[a-z][a-z0-9]*(?:-[a-z0-9]+)+|[A-Z][a-z]+[A-Z]\w*-\d+)(?![\w-])")
COMMON_FIRST = re.compile(
    r"(?:p\d+|http|https|sha|utf|tier|level|phase|step|sev|severity|priority|layer|day|week|top|non|pre|post|multi"
    r"|sub|x86|ipv4"
    r"|ipv6|h2|tls|option|round|part|type|covid|mid|semi|under|over|self|re|q[1-4]|v\d+|ge|on|e2e|s3|ec2|k8s|i18n"
    r"|oauth2|b2b"
    r"|all|at|in|of|to|up|by|near|over)$"
)
IDENTIFIER = re.compile(
    r"(?<![\w.$/@-])(?:(?=\w*\d)[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+"
    r"|[A-Z]+(?:_[A-Z]+)*_(?:EXHAUSTED|EXCEEDED|ERROR|FAILED|FAILURE|TIMEOUT|DENIED|REFUSED|UNAVAILABLE|RESET"
    r"|INVALID|FOUND|LOST)"
    r"|(?!rfc|iso|cve|sha|utf|x|tls)[a-z]{1,3}\d{4,}"
    r"|(?=(?:[A-Z]*\d){2})(?=(?:\d*[A-Z]){2})[A-Z0-9]{8,}|[A-Za-z][A-Za-z]+/\d+(?:\.\d+)+)(?![\w-])"
)
"""Ids of users, keys and the like: ``m_77120``, ``KJ41AA09``."""
LOGGED = re.compile(
    r"(?<![\w.-])(?P<name>[a-z]+(?:_[a-z]+)+)(?=[` ]+(?:is|was|were|has been|had been|appears|occurs"
    r"|occurred)[` ]+(?:logged|thrown|raised|seen|reported))"
    r"|\b(?:logged|threw|throws|logs|raised)[` ]+(?P<after>[a-z]+(?:_[a-z]+)+)(?![\w.-])"
)
CHANNEL = re.compile(r"(?<![\w/&#])#[a-z][a-z0-9]*(?:[-_][a-z0-9]+)+(?![\w-])")
OWN_NAME = re.compile(
    r"\b(?:users?|roles?|accounts?|tables?|topics?|queues?|buckets?|namespaces?|indexes|index|flags?|jobs?|secrets?"
    r"|databases?|schemas?|clients?|tenants?|groups?) (?P<name>[a-z][a-z0-9]*(?:_[a-z0-9]+)+)(?![\w.(-])",
    re.IGNORECASE,
)
"""A name after what it names: user ``analytics_rw``."""
DOTTED = re.compile(
    r"(?<![\w.$/@-])([a-z][a-z0-9_]{2,}\.)(?!(?:com|net|org|io|dev|ya?ml|json|conf|py|go|js|ts|java|sh|sql|md"
    r"|txt|log)\b)[a-z][a-z0-9_]{2,}(?![\w.(-])"
)
"""The name of a queue or table, such as ``dlx.invoices``."""
SOURCE = re.compile(
    r"(?<![\w.@-])[\w/-]+\.(?:py|java|go|rb|tsx?|jsx?|kt|rs|cs|cpp|cc|php|scala|exs?)(?::\d+)?(?![\w.-]*\w)"
)
"""A source file, with or without a line: ``session_store.py:77``."""
HOST = re.compile(
    r"(?<![\w.@/-])(?:[a-z0-9][a-z0-9-]*\.)+(?:internal|local|svc|cluster|com|net|org|io|dev|lan|corp|cloud|prod"
    r"|example)(?![\w-])(?:\.[a-z]+)*(?!\.?\w)"
)
ADDRESS = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)")
AUTHOR = re.compile(
    r"(?<![\w.])(?:deploy\w{0,12}|releas\w{0,12}|roll(?:ed)?[ -]?out|shipped|push\w{0,12}|merg\w{0,12}"
    r"|commit\w{0,12}|author\w{0,12}|publish\w{0,12}"
    r"|promot\w{0,12}|chang\w{0,12}"
    r"|removed|deleted|updated|modified|disabled|enabled|restarted|rebooted|rolled back|reverted|executed"
    r"|applied|created|paused"
    r"|cancell?ed|closed|suspended|edited|scaled"
    r"|build(?:-?\d[\w.]*)?|[a-z]{1,8}-\d{2,}(?=\W{1,2}by )|triggered|started|approved|initiated|v\d[\w.-]{0,40}"
    r"|PR)\b(?:[^.;|\n]|\.(?=\w)){0,60}?\b(?:by|von|par"
    r"|author:?)\s+@?(?P<name>[A-Za-z][\w-]*)",
    re.IGNORECASE,
)
IN_GENERAL = re.compile(r"\b(?:is|are|be|being|gets?) $", re.IGNORECASE)
"""Before a verb that says what happens in general: such a transaction is rolled back by Postgres."""
NO_AUTHOR = re.compile(
    r"(?:the|a|an|this|that|it|its|our|their|users?|default|hand|design|mistake|accident|deploy\w{0,12}|release\w*"
    r"|github|argo\w*"
    r"|me|us|myself|ourselves|itself|kubernetes|ci|cd|automation|someone|anyone|no|nobody|one|far|then|now|all"
    r"|any|each|which|whom|what|memory"
    r"|cpu|an?|\w+ing"
    r"|\w+ly|time|version|adding|der|die|das|le|la|les|un|une|einem?|einer|engineers?|team|people|person|operator"
    r"|bot|v\d.*)$",
    re.IGNORECASE,
)
DENIED = re.compile(
    r"\b(?:no|not|n't|neither|nor|without|never|none|nothing|kein\w*|nicht|aucun\w*|pas|sans|search\w*|query"
    r"|queried|look\w* for"
    r"|may|might|could|possibly|perhaps|absent|rule[sd]? out|excluded?|unlike)\b|n't\b",
    re.IGNORECASE,
)
INFERRED = {
    "crashloopbackoff": re.compile(r"crash ?loop|back-?off"),
    "imagepullbackoff": re.compile(r"back-?off pulling|errimagepull|failed to pull image"),
    "errimagepull": re.compile(r"imagepullbackoff|failed to pull image"),
    "oomkilled": re.compile(r"\boom\b|out of memory|oom-?kill|exit[ _]?code\W{1,4}137"),
}
"""States of containers, and what in a result says so in other words."""
ENDINGS = frozenset({"js", "io", "ai", "com", "net", "org", "dev", "app", "md", "cfg", "sh"})
THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+")
NEXT_VERSION = re.compile(r"\b(?:next|fixed|upcoming|future|hot-?fix|patched|planned)\b[^.;\n]{0,25}$", re.IGNORECASE)
HYPHEN_BEFORE = re.compile(r"[\w.]+(?:-[\w.]+)*-$")
"""The beginning of a name that ends in a version: ``products-v12``."""
