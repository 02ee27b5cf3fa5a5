"""In which form a report says who did what (pure)."""

from __future__ import annotations

import re

from watchkeeper.incident.vocabulary.action_words import ACTIONS
from watchkeeper.incident.vocabulary.unit_words import WORD_NUMBERS
from watchkeeper.incident.vocabulary.word_lists import word_list

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
    rf"(?: (?:was|were|has been|have been|had been|has|have|is|are|already|successfully|just|now|being))*:?"
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
_ONGOING = "|".join(f"(?P<p{at}>{action.doing})" for at, action in enumerate(ACTIONS) if action.doing)
_HAVING = "|".join(f"(?P<h{at}>{action.done})" for at, action in enumerate(ACTIONS) if action.doing)
_COMMAND = "|".join(f"(?P<c{at}>{action.command})" for at, action in enumerate(ACTIONS) if action.command)
ONGOING = re.compile(
    rf"(?<![\w-])(?:i|we)(?:'m| am|'re| are)(?: \w+ly| also| now| just| already"
    rf"| still){{0,2}} (?P<did>{_ONGOING})(?![\w-])"
    r"(?! (?:nobody|no one|none|nothing|neither)\b)",
    re.IGNORECASE,
)
"""What the writer says to be doing: I'm paging the search team now."""
AFTER_DOING = re.compile(
    rf"(?<![\w-])after (?P<did>{_ONGOING})(?![\w-])(?=[^.;:!?\n]{{0,60}}?,? (?:i|we)(?: have| also|'ve)?"
    r" (?:\w+ed|got|saw|found|ran|set|took|went)\b)",
    re.IGNORECASE,
)
"""What the writer says to have done before something else: after paging search, I waited."""
HAVING_DONE = re.compile(
    rf"(?<![\w-])having (?:\w+ly |also |just |already )?(?P<did>{_HAVING})(?![\w-])", re.IGNORECASE
)
TICKED = re.compile(
    rf"^[ >]*(?:(?:[-+\u2022]|\d{{1,2}}[.)])[ ]*)?\[[xX\u2713\u2714\u2705]\][ ]+(?P<did>{_COMMAND}) (?!loop|rates?\b"
    rf"|issues?\b|storm)"
    r"(?=[\w@#])(?![^\n]*\b(?:not|checked|reviewed|verified|confirmed|ruled out|excluded|rejected|failed|denied)\b)",
    re.IGNORECASE | re.MULTILINE,
)
"""A line of a list that is ticked off: [x] Page the search team."""
ROW_DONE = re.compile(
    rf"^[ ]*\|[ ]*(?:\d{{1,2}}[.)]?[ ]*\|[ ]*)?(?P<did>{_COMMAND}) (?!loop|rates?\b|issues?\b"
    rf"|storm)(?=[\w@#])[^|\n]{{1,80}}"
    r"\|[ ]*(?:[\u2713\u2714\u2705][ \ufe0f]*)?(?:done|completed?|executed|sent|performed)(?!\w)",
    re.IGNORECASE | re.MULTILINE,
)
"""A row of a table: | Page the search team | Done |."""
DOING_NOW = re.compile(
    rf"(?:^|(?<=[.;!] ))[ >\u2022-]*(?:now |currently |also "
    rf"|just )?(?P<did>{_ONGOING})(?![\w-])[^.;,:!?|\n]{{1,60}}? (?:right now|now"
    r"|at the moment|as we speak)(?=[ ]*(?:[.;,!(]|$))",
    re.IGNORECASE | re.MULTILINE,
)
"""A sentence without a subject: Paging the search team now."""
STATED_DONE = (DOING_NOW, ONGOING, AFTER_DOING, HAVING_DONE, TICKED, ROW_DONE)
"""Actions that the writer claims in another form than a past tense."""
AND_HAVE = re.compile(r"\W*(?:i|we)\b", re.IGNORECASE)
"""The beginning of a sentence with the writer as its subject."""
NEGATION = re.compile(
    r"\b(?:not|never|no|nobody|no one|none|nothing|without|neither|nor|unable|refused|denied|declined|blocked"
    r"|rejected"
    r"|yet to|instead of|rather than|tried to|attempted|attempt|failed to|fails to|cannot|would have|might have"
    r"|may have|zero|0(?= (?:pages|escalations))"
    r"|could have|should have|must have|may or may not|who was|hardly|did)\b|n't\b",
    re.IGNORECASE,
)
NEGATED_AFTER = re.compile(
    r"[^\w.;!\n]{0,6}(?:nobody|no one|noone|none|no\b|nothing|n/a|not\b|never|-+\s*(?:$|\|)|neither|0(?!\d|[.,]\d))",
    re.IGNORECASE,
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
    r"(?:^|[^\w-])(?:i|we|our team)(?:\W+(?:have|had)|'ve|'d)?(?:\W+(?:\w+ly|also|then|already|just|now|since"
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
I_DID = re.compile(
    r"\b(?:i|we)(?:'ve| have)?(?: \w+ly| also| then| already| just)? [a-z-]+(?:ed|set|ut)\b", re.IGNORECASE
)
I_VERB = re.compile(
    r"(?<![\w-])i(?:'ve| have)?(?: \w+ly| also| then| already| just| now| therefore)*"
    r" (?P<verb>[a-z]+(?:-[a-z]+)?(?<!e)ed|set|cut|put|shut|split|froze|rewrote|rebuilt|re-?ran|undid"
    r"|redid)(?= (?!to\b|by\b)\S)",
    re.IGNORECASE,
)
"""What the writer says to have done, with any verb."""
AND_VERB = re.compile(
    r"\W*(?:and|then|also)?\W*(?:then |also )?(?P<verb>[a-z]+(?:-[a-z]+)?(?<!e)ed|set|cut|put|shut"
    r"|re-?ran)(?= (?!to\b|by\b|in\b|at\b|on\b)\S)",
    re.IGNORECASE,
)
"""What follows ``I resumed it and``."""
I_TOLD = re.compile(
    r"(?<![\w-])(?:i(?:'ve| have)?|and)(?: also| then| already| just)* (?P<verb>told|e-?mailed|texted|phoned|briefed"
    r"|rang) (?!you\b|me\b|us\b)@?[\w-]+",
    re.IGNORECASE,
)
WAS_REDONE = re.compile(
    r"\b(?:was|were|has been|have been|got)(?: \w+ly| also| then| already| just| now"
    r"| since)* (?P<verb>re-?(?!ached|ad\b|ported|quired|lated"
    r"|ceived|corded|quested|jected|fused|turned|tried|leased|mained|plied|sulted|tained|vealed|viewed|stricted"
    r"|sponded|ferenced|served|gistered|produced|covered|solved|duced|moved|checked|cognized|cognised|garded"
    r"|peated|presented"
    r"|liable|stored)[a-z]{3,}(?<!e)ed)\b",
    re.IGNORECASE,
)
"""What was done again: rescheduled, reassigned, resubmitted."""
WAS_DONE = re.compile(
    r"\b(?:was|were|has been|have been|got)(?: \w+ly| also| then| already| just| now"
    r"| since)* (?P<verb>suspended|cancell?ed|deleted"
    r"|purged|flushed|unblocked|migrated|reissued|resized|quarantined|isolated|banned|upgraded|downgraded"
    r"|drained|cordoned"
    r"|rotated|renewed|fenced|frozen)\b(?! (?:by|because|due))",
    re.IGNORECASE,
)
"""What only a person or a tool does."""
PAGE_LABEL = re.compile(
    r"^[ >|\u2022-]*(?:pages?(?: sent)?|paged|notified|woken"
    r"|escalated(?: to)?)[ ]*:[ ]*(?P<name>[a-z][\w-]+)(?=[ ]*(?:$|[.,;(/]))",
    re.IGNORECASE | re.MULTILINE,
)
NAME_PAGED = re.compile(r"(?:^|[;.,(:]) *(?P<name>[a-z][\w-]+) paged(?=[ ]*(?:$|[.,;)]))", re.IGNORECASE | re.MULTILINE)
NOT_A_TEAM = frozenset(
    word_list(
        "no none nobody yes done sent not denied declined expired requested pending failed unsuccessful tried"
        " skipped refused"
        " attempted error unknown never nothing zero one once twice was were been already being is are team"
        " on-call oncall engineer"
        " i we they who people person everyone also then and successfully engineers owner owners rejected"
        " cancelled approved waiting"
    )
)
WHAT_WE = re.compile(r"\W*what(?: \w+){0,2} (?:i|we|you|they)\b", re.IGNORECASE)
"""The beginning of a heading such as What I changed."""
_RAN = (
    r"(?P<verb>ran|executed|performed|triggered|launched|initiated|invoked|issued|kicked off)"
    r" (?:(?:the|an?|another|one|two|this|that) )?(?P<object>[a-z][\w-]*(?: [a-z][\w-]*)?)"
)
RAN = re.compile(rf"(?<![\w-])i(?:'ve| have)?(?: \w+ly| also| then| already| just)* {_RAN}", re.IGNORECASE)
AND_RAN = re.compile(rf"\W*(?:and|then|also)?\W*(?:then |also )?{_RAN}", re.IGNORECASE)
LISTED = re.compile(r"\W*(?P<verb>[A-Z][a-z]+(?<!e)ed)\b(?= [\w`\"])")
"""An item of a list of what was done: ``Approved the request``."""
THOUGHT = frozenset(
    word_list(
        "needed wanted tried attempted asked requested looked checked searched queried reviewed examined inspected"
        " considered compared verified confirmed proposed suggested recommended advised judged assumed inferred"
        " concluded suspected believed guessed estimated measured calculated computed counted noted noticed observed"
        " investigated correlated traced followed determined identified diagnosed analysed analyzed gathered collected"
        " pulled fetched retrieved listed sampled used focused limited restricted covered included excluded ruled"
        " dropped rejected discarded dismissed weighed decided preferred expected hoped planned intended offered"
        " learned learnt realised realized started stopped finished failed managed received obtained tested probed"
        " validated evaluated assessed reported recorded described summarised summarized quoted cited mentioned"
        " derived deduced matched cross-checked double-checked re-checked spotted detected discovered located"
        " worked called treated ranked sorted filtered skimmed interpreted regarded based relied lacked explored"
        " studied inquired wondered figured supposed hypothesised hypothesized omitted declined refrained waited"
        " concentrated arrived ended turned shared agreed disagreed attributed linked associated differentiated"
        " quantified extrapolated converted rounded labelled labeled marked abstained hesitated viewed watched"
        " monitored polled pinged sized documented outlined drafted narrowed zoomed honored respected obeyed cared"
    )
)
"""Verbs of reading and thinking, which need no call that changes something."""
OBJECT_NAME = re.compile(
    r"(?:\W{1,3}\w+ (?:on|of|in)(?= [\w-]*\d))?(?:\W{1,3}(?:the|pod|node|host|service|deployment|backend|pid"
    r"|flag|rollout|job|session|query|number))*\W{1,3}"
    r"(?P<name>[a-z][a-z0-9]*(?:-[a-z0-9]+)*-[a-z0-9]*\d[a-z0-9]*|\d{4,})(?![\w.,:-]*\d)",
    re.IGNORECASE,
)
"""What was restarted or terminated, if it has a number in its name."""
SOURCE = re.compile(
    r"\b(?:according to|as|per|by) [\w'-]+(?: (?:wrote|says|said|reports?|reported|noted|mentioned|told us))?(?=\W)"
    r"|[\w-]+ (?:wrote|says|said|reports|reported|noted|mentioned)\b",
    re.IGNORECASE,
)
"""Who is named as a source: as ines wrote."""
SERVICE_AFTER = re.compile(
    r"(?:\W{1,3}(?:the|all|both|pods?|service|deployment|of|instances?|replicas?))*\W{1,3}(?P<name>[a-z][\w-]*)",
    re.IGNORECASE,
)
SERVICE_BEFORE = re.compile(
    r"(?<![\w.-])(?P<name>[a-z][\w-]*)(?: service| deployment| pods?)? (?:was|were|has been|have been|got)"
    r"(?: \w+ly| also| then| already)* *$",
    re.IGNORECASE,
)
"""The service after or before a verb: restarted the web service, web was restarted."""
LABELLED = re.compile(
    rf"^[ >|\u2022-]*(?:{NOUNS})(?: (?:of|to|for) [\w.-]+)?[ ]*[:|][ ]*(?P<did>done|yes|sent|completed?"
    rf"|executed|performed|successful(?:ly)?|\u2705|\u2714)(?!\w)",
    re.IGNORECASE | re.MULTILINE,
)
"""A line such as ``Rollback: done``."""
DONE_LABEL = re.compile(
    r"(?:changes?(?: made| by me| applied)?|actions?(?: taken| performed)?|(?:what )?i(?:'ve| have)? (?:did"
    r"|done)|done(?: so far)?"
    r"|containment|steps taken|fix(?:es)? applied)\W*$",
    re.IGNORECASE,
)
RESOURCE = re.compile(r"[a-z][\w]*(?:-\w+)+", re.IGNORECASE)
RESOURCE_IS = re.compile(
    r"(?<![\w.-])[a-z]{2,}\w*(?:[-.]\w+)*[-.]\w*\d\w* (?:was|were|has been|have been) *$", re.IGNORECASE
)
CLOCK_BEFORE = re.compile(r"(?:\d{1,2}:\d\d(?::\d\d)?|\x01+)\W*(?:UTC|Z|GMT|h|Uhr)?[^\w]*$")
OBJECT = re.compile(r"\W*(?:the|its|an?|all|both|this|that|to|traffic|back)\b", re.IGNORECASE)
COUNTED = re.compile(
    rf"\W*(?:\d|(?:{'|'.join(WORD_NUMBERS)}) times|once|twice|several|many|repeatedly|times|at \d|by |again|due"
    rf"|because|after|in \d|every|since|\x01"
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
    r"scaled|disabled|redeployed|hot-?fixed|shifted|rerouted|re-routed|diverted|redirected", re.IGNORECASE
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
LOOK = re.compile(
    r"\b(?:quer|search|check|command|look|analys|test|probe|diagnos|report|comparison|investigat|calculat"
    r"|review|trace|sql|promql"
    r"|ping|scan|select|explain|health|read|call|inspection|tool)",
    re.IGNORECASE,
)
"""What is run to read something."""
TO_NUMBER = re.compile(
    r"[^.;\n\d]{0,50}?\bto (?P<from>)(?P<to>\d{1,5}) (?:replicas|pods|instances|workers|consumers|nodes)\b",
    re.IGNORECASE,
)
TOLD_SUBJECT = re.compile(
    r"(?<![#@\w-])(?P<names>[a-z][\w-]*(?:(?:,| and|, and) [a-z][\w-]*)*)(?: team)? (?:was|were|has been"
    r"|have been|is|are)(?: also| already| both| \w+ly)* $",
    re.IGNORECASE,
)
"""Who was informed: ``search and web have been told``."""
FROM_TO = re.compile(
    r"(?:\bfrom )?(?<![\w.,:])(?P<from>\d{1,5}|{words}) ?(?:to|->|\u2192) ?(?P<to>\d{1,5}|{words})(?![\w:%]"
    r"|[.,]\d| ?(?:%|m?s\b|[kmgt]i?b|min|:))".replace("{words}", "|".join(WORD_NUMBERS)),
    re.IGNORECASE,
)
"""From how many to how many something was scaled."""
