"""The page in HTML: one file that asks for nothing outside itself and runs nothing (pure)."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files

from watchkeeper.console import count
from watchkeeper.report_page.data import Account
from watchkeeper.report_page.event_table import timeline
from watchkeeper.report_page.header import STANDING, facts, notes, standing, title
from watchkeeper.report_page.html_builder import Html, html, joined, tag
from watchkeeper.report_page.safe_markdown import prose
from watchkeeper.report_page.tables import Table, accounts, happenings
from watchkeeper.report_page.timeline_svg import picture
from watchkeeper.report_page.tool_call_text import MANY, asked, excerpt_bytes, found, outcome, sign
from watchkeeper.run_view.entries import Call, FollowUp

_FOLDED = {"Rounds": ("Round by round", ""), "Timeline": ("The same as a list", " screen")}
"""Tables that wait folded until somebody wants them: what unfolds them, and whether paper goes without."""

_GROUP = 100
"""Calls of a long run that are folded together; paper, too, leaves them folded."""


def html_page(account: Account, link: str | None) -> str:
    """Write the page; ``link``: where people find the run."""
    story, calls = account.story, list(account.story.calls.values())
    drawn, listed = picture(account), _table(timeline(account))
    body = joined(
        _head(account, link),
        _report(account),
        *map(_follow_up, story.follow_ups),
        tag("section", tag("h2", "Timeline"), drawn or Html(), listed, aria_label="Timeline"),
        *map(_table, happenings(account)),
        _evidence(calls) if calls else Html(),
        *map(_table, accounts(account)),
    )
    head = joined(
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy()),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title(story)} · {STANDING[story.status]}"),
        tag("style", _style()),
    )
    return f"<!doctype html>\n{tag('html', tag('head', head), tag('body', tag('main', body)), lang='en')}\n"


@cache
def _style() -> Html:
    return Html((files("watchkeeper.report_page") / "page.css").read_text(encoding="utf-8"))


@cache
def _policy() -> str:
    """Allow this page's own style sheet, known by its digest, and nothing else."""
    digest = b64encode(sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _head(account: Account, link: str | None) -> Html:
    story = account.story
    pairs = [tag("div", tag("dt", name), tag("dd", fact, dir="auto")) for name, fact in facts(account)]
    text = story.run_input.text.strip() if story.run_input else ""
    whole = tag("details", tag("summary", "All that was asked"), tag("pre", text, dir="auto"))
    return tag(
        "header",
        tag("p", "Watchkeeper · report of a run", class_="over"),
        tag("h1", title(story), dir="auto"),
        tag("p", tag("span", STANDING[story.status], class_=f"pill {story.status}"), " ", standing(account)),
        *([tag("p", story.report.summary, class_="lede", dir="auto")] if story.report else []),
        tag("dl", *pairs, class_="facts"),
        *([whole] if text != title(story) else []),
        *(tag("p", note, class_="note") for note in notes(account)),
        *([tag("p", tag("a", "Open the run", href=link, rel="noreferrer"), class_="screen")] if link else []),
    )


def _report(account: Account) -> Html:
    report = account.story.report
    body = prose(report.body) if report else tag("p", "There is none yet.")
    return tag("section", tag("h2", "Report"), tag("div", body, class_="prose", dir="auto"))


def _follow_up(answered: FollowUp) -> Html:
    return tag(
        "section",
        tag("h2", f"Follow-up {answered.number}"),
        tag("blockquote", answered.question, dir="auto", class_="asked"),
        tag("div", prose(answered.report.body), class_="prose", dir="auto"),
    )


def _evidence(calls: Sequence[Call]) -> Html:
    most = excerpt_bytes(calls)
    heading = tag("h2", "Evidence ", tag("small", count(len(calls), "call")))
    if len(calls) < MANY:
        return tag("section", heading, *(_call(call, most) for call in calls))
    return tag("section", heading, *(_group(calls[n : n + _GROUP], most) for n in range(0, len(calls), _GROUP)))


def _group(calls: Sequence[Call], most: int) -> Html:
    ends = ", ".join(f"{number:,} {status}" for status, number in Counter(call.status for call in calls).most_common())
    summary = tag("summary", tag("b", f"{calls[0].key} to {calls[-1].key}"), f" · {ends}")
    return tag("details", summary, *(_call(call, most) for call in calls), class_="group")


def _call(call: Call, most: int) -> Html:
    status, *measures = outcome(call)
    line = tag(
        "summary",
        tag("span", sign(call), class_=f"sign {call.status}", aria_hidden="true"),
        tag("span", call.key, class_="key"),
        tag("b", call.name),
        tag("code", asked(call, 300), class_="given"),
        tag("span", tag("em", status), *(f" · {fact}" for fact in measures), class_="measures"),
    )
    text, missing = found(call, most)
    inner = [tag("p", "Arguments"), tag("pre", call.arguments, dir="auto")]
    inner += [tag("p", "Result"), tag("pre", text, dir="auto")] if text else [tag("p", "There is no result.")]
    inner += [tag("p", f"{missing}.", class_="missing")] if missing else []
    return tag("details", line, tag("div", *inner, class_="inner"), class_="call", id=f"call-{call.key}")


def _table(table: Table) -> Html:
    heads = [tag("th", name, scope="col", class_=_number(n, table)) for n, name in enumerate(table.columns)]
    rows = [
        tag("tr", *(tag("td", cell, class_=_number(n, table), dir="auto") for n, cell in enumerate(row)))
        for row in table.rows
    ]
    grid = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows))
    wide = "wide" if len(table.columns) > 2 and table.heading != "Limits" else "small"
    inside = tag("div", grid, class_=f"scroll {wide}", tabindex="0", role="region", aria_label=table.heading)
    note = tag("p", table.note, class_="missing") if table.note else html("")
    if table.heading not in _FOLDED:
        return tag("section", tag("h2", table.heading), inside, note)
    folded, screen = _FOLDED[table.heading]
    summary = tag("summary", folded, " ", tag("small", f"{len(table.rows):,}"))
    return tag("details", summary, inside, note, class_=f"folded{screen}")


def _number(column: int, table: Table) -> str | None:
    return "number" if column >= table.numbers else None
