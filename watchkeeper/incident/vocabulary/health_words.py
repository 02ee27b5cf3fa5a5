"""How a report speaks of health and trends (pure)."""

from __future__ import annotations

import re

from watchkeeper.incident.vocabulary.word_lists import word_list

GOOD = (
    r"healthy|fine|ok(?:ay)?|normal|stable|unaffected|not affected|operational|green|good|working(?: normally|"
    r" fine)?|all right|nominal"
    r"|up and running|running (?:normally|fine)|back to normal|recovered|functioning(?: normally)?|operating"
    r" normally|behaving normally|no (?:errors|issues|problems|failures)"
)
BAD = r"degraded|down|unhealthy|failing|broken|unavailable|red|out"
STATE = re.compile(
    rf"(?<![\w.-])(?P<subject>(?:[\w.-]{{1,60}}(?:,? and | or |, )){{0,8}}[\w.-]{{1,60}})(?: services?)?(?P<be>"
    rf" (?:both |all |also |still "
    rf"|currently )*(?:is|are|looks?|seems?"
    rf"|appears?(?: to be)?|remains?|stays?|has|have|were|was|:))(?: (?:both|all|also|still|currently|now"
    rf"|completely|fully|otherwise|perfectly"
    rf"|reported|reporting|reports?|as|each))*[ ](?:(?P<good>{GOOD})|(?P<bad>{BAD}))(?![\w-])",
    re.IGNORECASE,
)
NAMES_ONLY = re.compile(r"\W*[\w.-]+(?: services?)?(?:(?:, | and | or )[\w.-]+(?: services?)?)*\s*$")
NO_SERVICE = frozenset(
    word_list(
        "it this that they everything all nothing traffic latency cpu memory disk network load throughput"
        " errors error rate service services which who there status p95 p99 usage p50 others both none system"
        " systems node nodes pod pods cluster database db queue cache deploy deployment version health state"
        " metrics logs dependencies upstream downstream response responses requests one rest we i what and or"
        " saturation utilization availability them these those container containers replicas backlog lag"
        " connections connectivity dns timing behaviour behavior site app application platform release rollout"
        " performance everyone"
    )
)
BEFORE_DENIED = re.compile(
    r"\b(?:not|no|never|neither|nor|whether|if|unknown|unclear|could|may|might|until|once|when|suggest\w*|assum\w+"
    r"|seems?|was|were"
    r"|expect\w*|should|previous\w*|earlier|before)\b|n't\b",
    re.IGNORECASE,
)
EVERYTHING = re.compile(
    r"\b(?:everything(?: else)?|all (?:other )?(?:services|systems)|(?:all )?(?:the )?other services|every(?:"
    r" other)? service|no other services?)"
    rf"(?: (?:is|are|looks?|seems?|remains?|was|were))?(?: (?:currently|now|still|also))? (?:{GOOD}"
    rf"|affected)(?![\w-])",
    re.IGNORECASE,
)
TREND = re.compile(
    r"(?P<what>(?:the |these |its )?(?:error rate|errors?|failures?|latency|latencies|p\d\d(?: latency)?|memory(?:"
    r" usage)?|cpu(?: usage)?|traffic"
    r"|requests?|restarts?|queue|backlog|lag|exceptions?|timeouts?|error counts?|service|response times?"
    r"|throughput|load|connections|(?<![\w-])[\w-]+))"
    r" (?:is|are) (?:now |already |slowly |steadily |rapidly |currently |still |clearly )*"
    r"(?P<way>(?P<down>falling|dropping|decreasing|declining|subsiding|going down|coming down|receding|easing"
    r"|diminishing|shrinking|draining)"
    r"|(?P<better>recovering|improving|stabili[sz]ing|normali[sz]ing|returning to normal|clearing|back to normal"
    r"|back to baseline|getting better)"
    r"|(?P<up>rising|increasing|climbing|growing|going up|worsening|getting worse|spiking|deteriorating))(?! (?:to"
    r"|back) [a-z]+ing)",
    re.IGNORECASE,
)
RECOVERED = re.compile(
    r"\b(?:(?:the |all )?(?:services?|system|application|errors?|error rate|latency|traffic|everything|logins?"
    r"|requests?)|it)"
    r" (?:has|have|is|are) (?:now |fully |since |already |completely |largely |all )*(?:recovered|back to normal"
    r"|normali[sz]ed|stabili[sz]ed"
    r"|subsided|dropped|fallen|decreased|improved|cleared up|gone down|come down)(?! (?:from|at|by \d))",
    re.IGNORECASE,
)
RECOVERY = re.compile(r"\b(?:resolved|recover\w*|no longer|cleared|normal)\b", re.IGNORECASE)
TREND_READ = (
    r"\b(?:falling|dropping|decreasing|declining|recovering|improving|rising|increasing|climbing|growing|trend\w*"
    r"|slope)\b"
    r"|\b(?:deriv|delta)\("
)
SERIES = r"\[(?:\s*\"?-?\d+(?:\.\d+)?\"?\s*,){2,}|(?:\[\s*\d{9,}(?:\.\d+)?\s*,\s*\"[^\"]*\"\s*\]\s*,\s*){2,}"
STATUS = re.compile(r'"?status"?\s*[:=]\s*"?(\w+)', re.IGNORECASE)
GOOD_STATUS = {"healthy", "ok", "up", "green", "normal", "operational", "passing"}
BAD_STATUS = {"degraded", "down", "unhealthy", "critical", "failing", "red", "error", "failed", "warning"}
UNKNOWN_STATUS = {"unknown", "no_traffic", "no_data"}
