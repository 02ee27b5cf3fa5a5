"""How a report says that something was changed, without saying who did it (pure)."""

from __future__ import annotations

import re

THING = (
    r"limits?|quotas?|quer(?:y|ies)|sessions?|memory|replicas?|pool(?: size)?|timeouts?|thresholds?|capacity|max_\w+"
    r"|index(?:es)?|indices"
    r"|certificates?|certs?|secrets?|passwords?|credentials?|api keys?|config(?:uration)?s?"
    r"|settings?|flags?|cron ?jobs?"
    r"|dashboards?|runbooks?|hot-?fix|fix|patch|workaround|mitigation|dns|ttl|records?|campaigns?|topics?|partitions?"
    r"|offsets?|caches?|circuit breakers?|status page|disks?|volumes?|storage|nodes?|cluster|database|scripts?"
    r"|migrations?|rules?|polic(?:y|ies)|retention|concurrency|instances?|feature|exports?"
    r"|batch job|rate limit(?:er|ing)?"
    r"|autoscal\w+|workers?|consumers?|health checks?|load balancer|firewall|maintenance mode|read-only mode|backups?"
    r"|deploy(?:ment)?s?|rollouts?|pipeline|sync|post-?mortem|channel|bridge|war room"
)
CHANGED = (
    r"increased|raised|doubled|bumped|lowered|reduced|extended|adjusted|tuned|changed|updated|applied|patched|rotated"
    r"|renewed|issued|installed|added|created|merged|shipped|deployed|rolled out|provisioned|expanded|enlarged|paused"
    r"|resumed|reconfigured|restored|repaired|replaced|rebuilt|reloaded|reset|repartitioned|rebalanced|upgraded|moved"
    r"|migrated|cancell?ed|stopped|killed|terminated|flushed|purged|cleared|cleaned(?: up)?|deleted|removed|emptied"
    r"|enabled|disabled|activated|frozen|put in place|set up|implemented|corrected|reverted|invalidated|warmed(?: up)?"
)
PASSIVE = re.compile(
    rf"(?<![\w-])(?P<thing>{THING})(?: (?:of|for|to|in|on|from|at) [^,;|:.]{{1,40}}?)?"
    r" (?P<be>(?:was|were|has been|have been|had been|got|is now|are now)(?: (?:\w+ly|now|also|already|since|then))*)"
    rf" (?P<verb>{CHANGED})(?![\w-])",
    re.IGNORECASE,
)
SHORT = re.compile(
    rf"\W*(?:the |a |an |new )?(?:[\w-]+ ){{0,2}}?(?P<thing>{THING}|pods?|service|traffic) (?P<verb>{CHANGED}"
    r"|restarted|drained|cordoned|shifted|rerouted)\W*",
    re.IGNORECASE,
)
"""A whole clause: ``campaign paused``."""
NEW = re.compile(r"\b(?:an? new|another|an? additional|a fresh|an?)\b[^,;:.]{0,30}$", re.IGNORECASE)
BY_OTHERS = re.compile(
    r"[^.;|\n]{0,60}?\bby (?!me\b|us\b|watchkeeper|the (?:agent|assistant|automation)\b)[\w@]", re.IGNORECASE
)
FROM_TO = re.compile(r"[^.;|\n]{0,40}?\bfrom\b[^.;|\n]{1,20}\bto\b", re.IGNORECASE)
FIX_IS = re.compile(
    r"\W*(?:and |so )?(?:the |a |our )?(?:[\w-]+ )?(?P<thing>hot-?fix|fix|patch|workaround|mitigation)"
    r" (?P<be>is(?: now| already)?)"
    r" (?P<verb>deployed|live|rolled out|merged|shipped|applied|in place|released)(?![\w-])",
    re.IGNORECASE,
)
"""A fix that works already: the fix is deployed."""
FIX_READ = r"hot-?fix|\bfix(?:ed|es)?\b|\bpatch|workaround"
ENDING = re.compile(r"(?:ied|led|ed|d|n)$")
SOLVED = re.compile(r"(?:resolved|fixed|mitigated|remediated|restored|repaired|corrected)$", re.IGNORECASE)
PLANNED_LABEL = re.compile(r"next|recommend|suggest|follow|plan|to.?do|propos|prevent|advice", re.IGNORECASE)
APPLIED = re.compile(r"applied|implemented|put in place", re.IGNORECASE)
ADDED = re.compile(
    r"added|increased|raised|doubled|tripled|quadrupled|expanded|grown|extended|reduced|lowered|halved", re.IGNORECASE
)
SCALES = re.compile(r"scale|replica|resize|capacity|limit|hpa|concurrency|quota")
"""What more or less of something is done with."""
