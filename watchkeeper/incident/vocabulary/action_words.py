"""The verbs and nouns with which a report says that something was done (pure)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Action:
    """One kind of action."""

    done: str
    """Pattern of the past participle."""
    noun: str
    """Pattern of the noun; empty: none."""
    evidence: str
    """Pattern in a result that says somebody or something else did it."""
    call: str
    """Pattern of the tool name and arguments of a call that does it."""
    strict: str = ""
    """Pattern in a result that says it was done on purpose; empty: ``evidence`` is enough."""
    contact: bool = False
    """It informs people."""
    doing: str = ""
    """Pattern of the present participle; empty: none."""
    command: str = ""
    """Pattern of the infinitive; empty: none."""


CONTACT = Action(
    done=r"paged|notified|alerted|woken(?: up)?|woke(?: up)?|informed|escalated|contacted|pinged|messaged|reached out"
    r"|looped in|summoned|(?:made|is|are) aware|called in|engaged|handed (?:over|off)|mobili[sz]ed|dispatched"
    r"|called(?=(?: up| out)?(?:\W*$|\W+the on-?call| the [\w-]+ (?:team|on-?call|engineer)| an? (?:engineer"
    r"|person)))"
    r"|(?<=been )(?:asked|told)|posted(?= (?:(?:an?|the|this|my) )?(?:message|update|note|summary"
    r"|findings)?[^.;]{0,30}(?:slack|#|channel"
    r"|team))",
    noun=r"pages?|paging|pager|notification|notifications(?= have gone out)|escalations?|wake-up call|hand-?off"
    r"|hand-?over",
    evidence=r"(?<!nobody )(?<!one )\b(?:is|are|was|were|been|already|has|have) (?:already )?(?:paged|notified"
    r"|alerted|woken"
    r"|informed|escalated|contacted)\b|\b(?:paged|notified|alerted) (?:the|me|us|team|[\w-]+ team|on-call)\b",
    call=r"page|notif|alert|escalat|slack|message|contact|wake|call_|post|send",
    contact=True,
    doing=r"paging|notifying|alerting|waking(?: up)?|escalating|contacting|pinging|messaging|informing|reaching out"
    r"|handing (?:this |it )?(?:over|off)",
    command=r"page|notify|wake(?: up)?|escalate|contact|ping|message|inform",
)
OPENED = Action(
    done=r"(?:opened|created|filed|raised|declared|logged|cut)(?= (?:(?:a|an|the|new|pagerduty|jira|critical"
    r"|sev\S*|p\d|high\S*)[ ])*"
    r"(?:incident|ticket|inc\b|issue|case|bug|pr\b|pull request))",
    noun=r"(?:incident|ticket|issue)(?: [A-Z]+-\d+)?",
    doing=r"(?:opening|creating|filing|raising|declaring)(?= (?:an?|the|new) [\w ]{0,20}?(?:incident|ticket|issue"
    r"|case))",
    command=r"(?:open|create|file|raise|declare)(?= (?:an? |the |new )?[\w ]{0,20}?(?:incident|ticket|issue|case))",
    evidence=r"\b(?:opened|created|filed|incident|ticket)\b",
    call=r"page|incident|ticket|issue|jira|pull|create|open",
)
OPERATIONS = (
    Action(
        done=r"rolled (?:[\w.-]+ ){0,4}?back|rolledback|reverted|undone|downgraded",
        noun=r"roll-?back|revert",
        evidence=r"roll(?:ed|ing)?[ _-]?(?:it )?back|revert|undo|undone|downgrade|rollback",
        call=r"roll_?-?back|revert|undo|deploy(?!ment)|image|sync",
        doing=r"rolling (?:[\w.-]+ ){0,4}?back|reverting|downgrading",
        command=r"roll (?:[\w.-]+ ){0,4}?back|rollback|revert|downgrade",
    ),
    Action(
        done=r"restarted|rebooted|bounced|recycled|cycled|recreated|re-created",
        noun=r"restart|reboot|rolling restart",
        evidence=r"restart|reboot|recreat|backoff|crashloop|started container",
        strict=r"\b(?:restarted|rebooted|restarting|recreated)\b|rolling restart|killing",
        call=r"restart|reboot|recycle|delete_pod|bounce|recreate|rollout",
        doing=r"restarting|rebooting|bouncing|recycling|recreating",
        command=r"restart|reboot|bounce|recycle|recreate",
    ),
    Action(
        done=r"scaled(?: (?:up|down|out|in))?|autoscaled|resized",
        noun=r"scale-?(?:up|down|out)|scaling",
        evidence=r"scal(?:ed|ing|e)\b|replica|rescale",
        call=r"scale|replica|resize|hpa",
        doing=r"scaling(?: (?:up|down|out|in))?|resizing",
        command=r"scale(?: (?:up|down|out|in))?|resize",
    ),
    Action(
        done=r"silenced|muted|snoozed|suppressed",
        noun=r"silence|mute",
        evidence=r"silenc|mute|snooz|suppress|inhibit",
        call=r"silence|mute|snooze|suppress",
        doing=r"silencing|muting|snoozing|suppressing",
        command=r"silence|mute|snooze|suppress",
    ),
    Action(
        done=r"deployed|redeployed|re-deployed|shipped|hot-?fixed|released|rolled out|promoted",
        noun=r"redeploy|hot-?fix",
        evidence=r"deploy|releas|rolled out|rollout|ship|promot|success",
        call=r"deploy(?!ment)|image|release|ship\b|rollout|promote|sync",
        doing=r"deploying|redeploying|shipping|releasing|rolling out|hot-?fixing",
        command=r"deploy|redeploy|ship|roll out",
    ),
    Action(
        done=r"cordoned|tainted",
        noun=r"cordon",
        evidence=r"cordon|taint|unschedulable|drain",
        call=r"cordon|taint|drain",
        doing=r"cordoning",
        command=r"cordon",
    ),
    Action(
        done=r"drained|evicted|decommissioned",
        noun=r"drain|eviction",
        evidence=r"drain|evict|decommission",
        call=r"drain|evict|decommission",
        doing=r"draining|evicting",
        command=r"drain|evict",
    ),
    Action(
        done=r"switched(?: over)?|rerouted|re-routed|shifted|diverted|redirected|promoted",
        noun=r"switch-?over|traffic shift",
        evidence=r"switch|rerout|shift|divert|redirect|promot",
        call=r"switch|route|traffic|promote|shift",
        doing=r"switching over|rerouting|shifting|diverting|redirecting",
        command=r"switch over|reroute|shift|divert",
    ),
    Action(
        done=r"failed over",
        noun=r"fail-?over",
        evidence=r"fail(?:ed|ing)?[ _-]?over",
        call=r"fail_?over|promote|switch",
        doing=r"failing over",
        command=r"fail over",
    ),
    Action(
        done=r"acknowledged|acked",
        noun=r"acknowledge?ment",
        evidence=r"acknowledg|acked",
        call=r"ack",
        doing=r"acknowledging",
        command=r"acknowledge",
    ),
    Action(
        done=r"(?:disabled|enabled|toggled|turned (?:off|on)|switched (?:off|on)|deactivated|activated)",
        noun="",
        evidence=r"disabl|enabl|toggl|turn(?:ed)? (?:off|on)|activat|flag",
        call=r"disable|enable|toggle|flag|feature",
    ),
    Action(done=r"vacuumed|reindexed", noun="", evidence=r"vacuum|reindex", call=r"vacuum|reindex"),
    Action(
        done=r"(?:deleted|removed|purged|flushed|cleared|truncated|invalidated|dropped)",
        noun="",
        evidence=r"delet|remov|purg|flush|clear|truncat|invalidat|drop",
        call=r"prune|clean|delete|remove|purge|flush|clear|truncate|invalidate|drop|evict",
    ),
    Action(
        done=r"(?:killed|terminated|stopped(?! (?:here|there|after|at|once|when|because|as|short|[a-z]+ing)\b"
        r"|\s*[.,;]))",
        noun="",
        evidence=r"kill|terminat|delet|remov|stop|purg|flush|clear|truncat|invalidat|drop",
        call=r"kill|terminate|stop|delete_pod|evict|drain|restart|halt"
        r"|pause|suspend|quiet|cancel|replicas\W+0\b",
    ),
    Action(
        done=r"(?:increased|raised|doubled|bumped|lowered|reduced|extended|adjusted|tuned|changed|updated|applied"
        r"|patched|rotated"
        r"|renewed|provisioned|expanded|throttled|rate-limited|paused|resumed|unblocked|blocked|reconfigured"
        r"|restored|repaired"
        r"|mitigated|resolved|fixed|remediated|closed|cancell?ed|aborted|replaced|reset|rebuilt"
        r"|reloaded|upgraded|installed"
        r"|merged|migrated|moved(?! (?:on|up|down)\b)|added(?= (?:an? |more "
        r"|the )?(?:\w+ )?(?:index|replica|node|capacity|memory"
        r"|partition|consumer|rule)))",
        noun="",
        evidence=r"increas|rais|doubl|bump|lower|reduc|extend|adjust|tun|chang|updat|appl|patch|rotat|renew"
        r"|provision|expand"
        r"|throttl|limit|paus|resum|block|configur|restor|repair|mitigat|resolv|fix|remediat|clos|recover",
        call=r".",
    ),
)
ACTIONS = (CONTACT, OPENED, *OPERATIONS)
