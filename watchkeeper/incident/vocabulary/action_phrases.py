"""In which form a report says who did what (pure)."""

from __future__ import annotations

import re

from watchkeeper.incident.vocabulary.action_words import ACTIONS

DONE = re.compile(
    r"(?<![\w-])(?:" + "|".join(f"(?P<a{at}>{action.done})" for at, action in enumerate(ACTIONS)) + r")(?![\w-])",
    re.IGNORECASE,
)
CARRIED_OUT = (
    r"sent|triggered|issued|raised|performed|executed|initiated|completed?|carried out|done|made|delivered|started"
    r"|in progress"
    r"|under ?way|went out|gone out|is out|successful|created|opened|filed|placed|set|active|submitted|finished"
)
NOUNS = "|".join(f"(?P<n{at}>{action.noun})" for at, action in enumerate(ACTIONS) if action.noun)
NOUN_DONE = re.compile(
    rf"(?<![\w-])(?:{NOUNS})(?: (?:to|for|of) (?:[^,.;|:]|\.(?=\w)){{1,40}}?)?"
    rf"(?: (?:was|were|has been|have been|had been|has|is|are|already|successfully|just|now|being))*:?"
    rf" (?P<did>{CARRIED_OUT})(?!\w)",
    re.IGNORECASE,
)
DID_NOUN = re.compile(
    rf"(?<![\w-])(?P<did>sent|triggered|issued|raised|performed|executed|initiated|completed|carried out|did|made"
    rf"|started|created"
    rf"|opened|placed|filed|submitted|set) (?:(?:an?|the|one|another|out|new|full|manual|quick|critical|rolling"
    rf"|high-priority) )*"
    rf"(?:{NOUNS})(?![\w-])(?! (?:load|fault|view|size|cache|service|queue|count))",
    re.IGNORECASE,
)
NEGATION = re.compile(
    r"\b(?:not|never|no|nobody|no one|none|nothing|without|neither|nor|unable|refused|denied|declined|blocked"
    r"|rejected"
    r"|yet to|instead of|rather than|tried to|attempted|attempt|failed to|fails to|cannot|would have|might have"
    r"|may have"
    r"|could have|should have|must have|may or may not|who was|hardly|did)\b|n't\b",
    re.IGNORECASE,
)
NEGATED_AFTER = re.compile(
    r"[^\w.;!\n]{0,6}(?:nobody|no one|noone|none|no\b|nothing|n/a|not\b|never|-+\s*(?:$|\|)|neither)", re.IGNORECASE
)
ADVERB = (
    r"(?:also|then|already|successfully|immediately|just|now|subsequently|therefore|promptly|manually"
    r"|automatically|so|far"
    r"|meanwhile|first|next|finally|and|\w+ly|duly|safely|recently|yes|done|have|has|was|were|been|both|again|since)"
)
ONLY_ADVERBS = re.compile(rf"[^\w]*(?:{ADVERB}\W+)*$", re.IGNORECASE)
BE = re.compile(
    r"\b(?:is|are|was|were|been|being|got|gets?|'s|'re)(?:\W+\w+ly|\W+(?:also|then|already|just|now|both|all|since"
    r"|again))*\W*$",
    re.I,
)
HAVE = re.compile(
    r"\b(?:have|has|had|'ve|'s)(?:\W+\w+ly|\W+(?:also|then|already|just|now|since|both|therefore))*\W*$", re.IGNORECASE
)
FIRST_PERSON = re.compile(
    r"(?:^|[^\w-])(?:i|we|i've|we've)(?:\W+(?:have|had|'ve))?(?:\W+(?:\w+ly|also|then|already|just|now|since"
    r"|therefore|went ahead and|both))*\W*$",
    re.I,
)
TO_US = re.compile(r"\b(?:i|we|me|us)\W+(?:was|were|am|are|got|have been)\W+(?:\w+ly\W+)?$", re.IGNORECASE)
US = re.compile(
    r"\b(?:watchkeeper|agent|assistant|automation|system|this run|bot|page_engineer|investigation)\b", re.IGNORECASE
)
PEOPLE = re.compile(
    r"\b(?:team|on-?call|engineers?|owners?|sres?|lead|leads|manager|managers|stakeholders?|people|person|someone"
    r"|everyone|they|them"
    r"|squad|crew|responders?|developers?|support|management|dbas?|operators?|colleagues?|humans?|group|staff"
    r"|customers?|users?"
    r"|channel|director|cto|commander)\b",
    re.IGNORECASE,
)
ADJECTIVE = re.compile(
    r"\b(?:the|an?|this|that|these|those|any|each|newly|recently|previously|currently|freshly|being|to|of|per"
    r"|when)\W*$",
    re.I,
)
PAST_VERB = re.compile(
    r"\W*(?:\w+:\W*)?(?:[a-z]+ed|sent|woke|took|ran|found|saw|got|began|i|we|i've|we've)\b", re.IGNORECASE
)
CLOCK_BEFORE = re.compile(r"(?:\d{1,2}:\d\d(?::\d\d)?|\x01+)\W*(?:UTC|Z|GMT|h|Uhr)?[^\w]*$")
OBJECT = re.compile(r"\W*(?:the|its|an?|all|both|this|that|to|traffic|back)\b", re.IGNORECASE)
COUNTED = re.compile(
    r"\W*(?:\d|once|twice|several|many|repeatedly|times|at \d|by |again|due|because|after|in \d|every|since|\x01"
    r"|between)",
    re.IGNORECASE,
)
STATE_WORDS = re.compile(r"(?:resolved|fixed|mitigated|remediated|restored|repaired|patched)$", re.IGNORECASE)
READ_NAME = re.compile(r"(?:get|search|list|describe|query|read|fetch|show|find|look|check|count)[_-]", re.IGNORECASE)
INCIDENT = re.compile(r"\b[A-Z]{2,9}-\d+\b")
NEGATIVE_SUBJECT = re.compile(
    r"\W*(?:\w+:\W*)?(?:nothing|nobody|no one|none|neither|no\b)(?!.*\b(?:but|however|although|except)\b)",
    re.IGNORECASE,
)
BY_US = re.compile(r"\W*by (?:me|us|watchkeeper|the (?:agent|assistant))\b", re.IGNORECASE)
WOKEN = re.compile(r"(?:paged|wok|escalated|page\b)", re.IGNORECASE)
PLAINLY = re.compile(
    r"scaled|disabled|switched|redeployed|hot-?fixed|shifted|rerouted|re-routed|diverted|redirected", re.IGNORECASE
)
FIX = re.compile(r"\b(?:fix|hot-?fix|patch|workaround|mitigation)\b", re.IGNORECASE)
OFTEN = re.compile(r"[^.;]{0,40}\b(?:\d+ ?(?:times|x)|twice|several times|repeatedly)\b", re.IGNORECASE)
MACHINE = re.compile(
    r"\b(?:kubernetes|kubelet|k8s|docker|systemd|supervisor|container|orchestrator|cluster"
    r"|scheduler|kernel)\b",
    re.I,
)
NOT_PAGED = re.compile(
    r"\b(?:customers?|end users|users|clients?|partners?|vendors?|providers?|suppliers?|management|leadership"
    r"|stakeholders?|marketing|legal|public|press)(?![\w-])",
    re.IGNORECASE,
)
"""People that a page to a team does not reach."""
SUBJECT = re.compile(r"(?:^|[^\w.-])([\w-]+)(?:'s)?\W*(?:(?:has|had|have|already|then|also|just)\W+)*$", re.IGNORECASE)
INFORMED = re.compile(
    r"(?:^|[^\w.-])([\w-]+) (?:was|were|has been|have been|is|got)(?: (?:\w+ly|also|already))*\W*$", re.IGNORECASE
)
