"""The teams that a run has paged, compared with the teams that its report names (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from watchkeeper.incident.claim_records import Records, argument_values
from watchkeeper.incident.vocabulary import team_words


class PagedTeams:
    """Who was paged, by the records."""

    def __init__(self, records: Records) -> None:
        """Collect the pages that were sent."""
        self.names: set[str] = set()
        self.incidents: set[str] = set()
        self.any = False
        for call in records.calls:
            if call.status != "ok" or not (call.page or call.name in records.pages):
                continue
            self.any = True
            if call.page:
                self.names.add(call.page.team.lower())
                self.incidents |= {call.page.incident} if call.page.incident else set()
            values = argument_values(call.arguments)
            self.names |= {value.lower() for name, value in values.items() if name not in team_words.LONG_TEXTS}
            self.incidents |= set(re.findall(r"\b[A-Z]{2,9}-\d+\b", records.results.get(call.key, "")))

    @property
    def text(self) -> str:
        """The names, for people."""
        return ", ".join(sorted(self.names)) or "another team"

    def others(self, text: str, at: int, end: int, start: int) -> Iterator[tuple[int, int]]:
        """Yield the places between ``start`` and ``end`` that name a team which was not paged.

        ``at``: where the verb ends. A team is named after it (paged the search team) or before it (search was paged).
        """
        named = False
        for pattern in (team_words.TEAM, team_words.TEAM_NAMED, team_words.TEAM_OF):
            for found in pattern.finditer(text, start, end):
                words = [
                    word
                    for word in found["name"].lower().split()
                    if word not in team_words.GENERIC and not word.endswith("ed")
                ]
                if words:
                    named = True
                    if not self.was_paged(words):
                        first = found["name"].lower().rfind(words[0]) if len(words) == 1 else 0
                        yield found.start("name") + max(0, first), found.end()
        yield from self._listed(text, at, end)
        direct = team_words.DIRECT.match(text, at, end)
        if (
            direct
            and not named
            and direct["name"].lower() not in team_words.GENERIC
            and not self.was_paged([direct["name"].lower()])
        ):
            yield direct.span("name")

    def _listed(self, text: str, at: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the names in a list of teams that were not paged, if another one of the list was."""
        listed = team_words.NAMES.match(text, at, end)
        if listed is None:
            return
        found = [
            name
            for name in re.finditer(r"[a-z][\w-]*", listed["names"])
            if name[0] not in team_words.GENERIC and not name[0].endswith("ed")
        ]
        if any(self.was_paged([name[0]]) for name in found):
            first = listed.start("names")
            yield from ((first + n.start(), first + n.end()) for n in found if not self.was_paged([n[0]]))

    def was_paged(self, words: list[str]) -> bool:
        """Tell whether a name is that of a team that was paged, or shares a part with it."""
        name = "-".join(words)
        return any(name in paged or paged in name or _parts(name) & _parts(paged) for paged in self.names)


def _parts(name: str) -> set[str]:
    return set(re.split(r"[\W_]+", name)) - team_words.SHARED_PARTS
