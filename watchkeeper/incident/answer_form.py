"""Answers that report nothing: they ask the reader for data, or only announce work (pure)."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Literal, TypeAlias

SUBSTANCE_WORDS = 6
"""An answer that is shorter than this, not counting its requests and announcements, reports nothing."""

LONGEST_SENTENCE = 500
"""A longer sentence, in characters, is neither a request nor an announcement."""

_Kind: TypeAlias = Literal["announces", "suggests", "plans", "asks", "filler", "states"]

_QUOTED = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|^[ \t]*>.*$", re.DOTALL | re.MULTILINE)
_MARKS = re.compile(r"[*_#|]")
_SENTENCE_END = re.compile(r"(?<=[.!?…:])\s+|(?<=[。！？：])|\n+")
_BULLET = re.compile(r"^[ \t]*(?:[-+•*]|\d+[.)])[ \t]+", re.MULTILINE)
_ITEM = "• "
_YES_OR_NO = re.compile(r"(?:yes|no)\b", re.IGNORECASE)
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")

_LEAD = (
    r"(?:(?:ok(?:ay)?|sure|alright|right|now|next|first(?:ly)?|then|so|and|also|just|finally|lastly|after that"
    r"|to (?:start|begin)|in parallel|understood|got it|great|(?:hello|hi|hey)(?: team| all| there| everyone)?"
    r"|(?:it (?:looks|seems) like|i think|i believe|i guess)(?: that)?)[,.!]?\s+){0,6}"
    r"(?:(?:to|since|because|based on|before|as|given|for|in order to|without)\b[^.,;:\d]{1,120},\s+)?"
)
_LOOK = (
    r"(?:check|look|investigat|quer|fetch|pull|inspect|search|examine|examining|review|retrieve|retrieving|gather|dig|dive|drill|analy[sz]|start"
    r"|begin|collect|diagnos|trac|explor|monitor)"
)
_WORK = (
    rf"(?:(?:{_LOOK}|get|run|call|see|verif|proceed|read|find|page|determine|determining|test|list|use|using|try|continue|think"
    r"|report back|assess|invok|write|summari[sz]|compile|prepare|draft|notify|wake|escalate|contact|inform)\w*|do\b"
    r"|keep (?:an eye|monitor|look|check|investigat|digg|watch)\w*)"
)
_HOW = (
    r"(?:(?:now|first|next|then|also|just|quickly|currently|still|have to|need to|try to|go ahead and|go|take an?"
    r"|start by|begin by|proceed to|continue to|be)\s+){0,6}"
)
_GERUND = (
    r"(?:checking|looking|fetching|querying|investigating|pulling|searching|gathering|retrieving|inspecting|examining"
    r"|reviewing|getting|finding|proceeding|moving on|continuing|calling|invoking"
    r"|executing|running|using|starting|beginning|analy[sz]ing|collecting|reading)"
)
_FOUND = (
    r"(?:show(?:s|ed|n)?|found|finds?|is|are|was|were|has|had|takes?|took|removes?|returned|returns?|fails?|failed"
    r"|looks?|seems?|works?|remains?|stays?|helps?|needs?|requires?|does|did|would|could|should|can"
    r"|reveal(?:s|ed)?|fix(?:es|ed)?|causes?|caused|confirm(?:s|ed)?|says?|said|begins?|began|because|since)"
)
_ANNOUNCES = re.compile(
    rf"{_LEAD}(?:"
    r"(?:(?:i|we)(?:'ll|’ll| will| shall|(?:'m|’m| am|'re|’re| are) (?:now )?(?:going to|about to)| plan to| intend to)"
    r"|i (?:need to|should|want to|must|have to|would like to)|i['’]d like to"
    r"|(?:the |my )?(?:next|first) (?:step|action|thing)(?: i(?:'ll|’ll| will) do)? (?:is|will be|would be)(?: to)?"
    r"|(?:will|going to|gonna|about to|time to))"
    rf"\s+{_HOW}{_WORK}"
    rf"|(?:let(?:'s|’s| us| me)|lemme|allow me to)\s+(?!know){_HOW}{_WORK}|allow me (?:a|some|one) "
    rf"|i(?:'m|’m| am)\s+{_HOW}(?:calling|invoking|running|getting|paging|waking|notifying)\b[^\d\n]*$"
    rf"|i can {_LOOK}\w*|(?:i am|i'm|i’m|we are|we're|we’re)\s+{_HOW}{_LOOK}\w*\b[^\d\n]*$"
    rf"|{_GERUND}\b(?:(?!\b{_FOUND}\b)[^.,;\d]){{0,80}}[.…]{{0,3}}$"
    r"|(?:i (?:will|shall|have|can)|i['’](?:ll|ve))\b[^.\n]{0,60}\b(?:report|get|come|be) back\b"
    r"|(?:ich (?:werde|muss|prüfe|überprüfe|schaue|sehe|untersuche|hole|rufe|starte|beginne)|lass mich"
    r"|je vais|laissez-moi|je dois|voy a|déjame|permíteme|necesito|vou|deixe-me|preciso)\s"
    r"|(?:接下来|首先|现在|好的|我)?[，,]?\s?(?:我(?:来|先|将|会|要|需要|现在)|让我)"
    r"|(?:请稍等|稍等)[，,]?|(?:我)?正在(?:检查|查看|查询|调查|分析|获取)|.{0,40}(?:確認|調査|検索|取得)します|.{0,40}(?:확인|조사|검색|분석|살펴보)하?겠"
    r"|(?:sto (?:controllando|verificando|analizzando)|(?:ora )?(?:controllerò|verificherò)"
    r"|ik (?:ga|zal|moet)|laat me)\b"
    r"|(?:сейчас )?(?:я )?(?:сейчас )?(?:проверю|посмотрю|изучу|проверяю)\b|(?:zaraz )?(?:sprawdzę|sprawdzam)\b"
    r")",
    re.IGNORECASE,
)
_PLANS = re.compile(
    rf"{_LEAD}(?:here(?:'s|’s| is) (?:my|the|a) (?:\w+ )?plan|(?:my |the |investigation )?plan|step \d{{1,2}}"
    r"|here(?:'s|’s| is) what (?:i|we)(?:'ll|’ll| will| plan| intend|'m|’m| am))"
    rf"[^.\n]{{0,40}}:$|{_LEAD}(?:(?:my |the )?(?:investigation |diagnostic )?plan"
    r"|(?:investigation|diagnostic) steps):?$",
    re.IGNORECASE,
)
_SUGGESTS = re.compile(
    rf"{_LEAD}(?:we (?:need to|should|must|have to|ought to)\s+{_HOW}{_LOOK}"
    rf"|(?:i|we)(?:'d|’d| would) (?:first|start|begin)\b"
    rf"|it would be (?:best|wise|better) to\s+{_HOW}{_LOOK})",
    re.IGNORECASE,
)
"""A look that a person should take: advice at the end of a report, but no report alone."""

_PLANNED = re.compile(rf"{_LEAD}{_WORK}\b", re.IGNORECASE)

_GIVE = (
    r"(?:provide|share|send|give|tell|paste|specify|clarify|confirm|supply|upload|attach|let me know|describe|answer"
    r"|grant|advise|attach|respond|reply)"
)
_ASKS = re.compile(
    rf"{_LEAD}(?:"
    r"(?:could|can|would|will) (?:you|someone|anyone)\b"
    r"|(?:may|might|could|can|shall|should) (?:i|we)\b[^.\n]*\?$"
    rf"|(?:(?:please|kindly)\s+){{1,2}}(?:also )?{_GIVE}\b|please\b[^.\n]*\b(?:paste|send|share|provide)\b"
    r"|(?:provide|share|send|tell|give|paste)\s+(?:me|us|your|any|more)\b"
    r"|(?:provide|share|send|paste)\s+the\s+(?:\w+\s+)?(?:logs?|output|details?|messages?|metrics|alerts?|traces?)\b"
    r"|(?:i|we)(?:'d|’d| would|'ll|’ll| will| do)?\s+(?:need|require|like)\s+"
    r"(?:some |more |additional |further |the |your |access|a )"
    r"|(?:i|we) (?:will |would )?need (?:the following|these|from you|you)\b[^.\n]*:$"
    r"|(?:i|we)\s+(?:do not|don't|don’t|cannot|can't|can’t|am (?:unable|not able) to|am not)\s+"
    r"(?:have|access|see|say|tell|continue|proceed)\b.*"
    r"\b(?:provide|share|access|tools?|more|logs?|enough)\b"
    r"|(?:which|what|where|when|who|how|why|do|does|did|is|are|was|were|has|have|should|shall|would|any)\b[^.\n]*\?$"
    r"|let me know\b|tell me\b|feel free to\b"
    r"|(?:a)?waiting (?:for )?(?:your|the|more|user|further|input|confirmation)\b"
    r"|to (?:help|proceed|continue|assist|investigate|diagnose|answer)[^.\n]*\b(?:need|provide|share)\b"
    r"|it would (?:help|be (?:very )?(?:helpful|useful|great|good|nice))\b"
    r"|(?:if|once|when|as soon as|after|until|unless) (?:you|someone) (?:can |could |have )?"
    r"(?:share|provide|send|give|tell|attach|paste)"
    r"|(?:any|some) (?:additional|more|further|other)\b[^.\n]*\b(?:appreciated|helpful|useful|welcome|help)\b"
    r"|(?:more|additional|further) (?:information|details?|context|data|logs|access|input)\b[^.\n]*"
    r"\b(?:needed|required|necessary|helpful)\b"
    r"|bitte (?:senden|schicken|geben|nennen|stellen|teilen|sagen|bestätigen)\b"
    r"|ich (?:brauche|benötige)\b|пожалуйста,? (?:предоставьте|пришлите|отправьте|укажите|сообщите)\b"
    r"|(?:können|könnten|würden)\b|kannst du\b"
    r"|(?:welche[nrs]?|wann|wer|wo|wie|was)\b[^.\n]*\?$"
    r"|(?:pouvez|pourriez)-vous\b|veuillez (?:fournir|partager|envoyer|indiquer|préciser|confirmer)\b"
    r"|quel(?:le)?s?\b[^.\n]*\?$|¿|por favor,? (?:proporcione|comparta|env[ií]|indi[qc]|forne[cç]|confirm)\w*"
    r"|您能|你能|能否|请您?(?:提供|分享|发送|告诉|给|说明|确认|上传)"
    r"|.{0,60}(?:提供|教えて|共有|送って|お知らせ).{0,10}(?:ください|くださいますか|いただけますか)"
    r")",
    re.IGNORECASE,
)
_FILLER = re.compile(
    r"(?:(?:ok(?:ay)?|sure|alright|understood|thanks?(?: you)?|hello|hi|of course|certainly|one moment|please wait|"
    r"please hold on|hold on|i(?:'m|’m| am) sorry|sorry|i apologi[sz]e|my apologies|"
    r"you(?:'re|’re| are) right|i understand|noted|no problem|got it|on it|working on it|bear with me|"
    r"ready when you are|"
    r"give me an? (?:moment|minute|second)|(?:the )?investigation (?:is )?(?:in progress|ongoing|under ?way|started)|"
    r"(?:i(?:'ve|’ve| have) started|starting) (?:the |an |my )?investigation|"
    r"i (?:cannot|can't|can’t|am unable to|am not able to) (?:help|assist|comply))\b[^.!?\n]{0,40}"
    r"|(?:as an?|i(?:'m|’m| am)(?: just)? an?) (?:ai|artificial intelligence|(?:large )?language model|assistant)\b"
    r"[^.!?\n]{0,200}"
    r")[.!?…:]*",
    re.IGNORECASE,
)


def says_nothing(answer: str) -> bool:
    """Return whether an answer holds only courtesies."""
    return not _kinds(answer)


def asks_reader(answer: str) -> bool:
    """Return whether an answer consists of requests to its reader. A question that it answers itself is none."""
    sentences = _sentence_kinds(answer)
    kinds = [kind for _, kind in sentences]
    answered = any(kind == "asks" and _YES_OR_NO.match(reply) for (_, kind), (reply, _) in pairwise(sentences))
    return "asks" in kinds and not answered and not _has_substance(answer)


def announces_work(answer: str) -> bool:
    """Return whether an answer consists of announcements, or only of advice to look at something."""
    kinds = _kinds(answer)
    return ("announces" in kinds or ("suggests" in kinds and "states" not in kinds)) and not _has_substance(answer)


def ends_with_announcement(answer: str) -> bool:
    """Return whether the last sentence of an answer announces work."""
    return _kinds(answer)[-1:] == ["announces"]


def _kinds(answer: str) -> list[_Kind]:
    return [kind for _, kind in _sentence_kinds(answer) if kind != "filler"]


def _sentence_kinds(answer: str) -> list[tuple[str, _Kind]]:
    """Return the sentences with their kinds.

    After "My plan:", sentences that begin with a verb announce work. The list after "Please send:" is a part of it.
    """
    kinds: list[tuple[str, _Kind]] = []
    planned, list_of = False, None
    for written in _sentences(answer):
        sentence = written.removeprefix(_ITEM)
        kind = _kind(sentence)
        if list_of and written != sentence and kind == "states":
            kind = list_of
        elif written == sentence:
            list_of = kind if kind in ("asks", "announces") and sentence.endswith((":", "：")) else None
        planned = kind == "plans" or (planned and bool(_PLANNED.match(sentence)))
        kinds.append((sentence, "announces" if planned else kind))
    return kinds


def _kind(sentence: str) -> _Kind:
    if len(sentence) > LONGEST_SENTENCE:
        return "states"
    if _PLANS.fullmatch(sentence):
        return "plans"
    if _FILLER.fullmatch(sentence):
        return "filler"
    if _ANNOUNCES.match(sentence):
        return "announces"
    if _SUGGESTS.match(sentence):
        return "suggests"
    return "asks" if _ASKS.match(sentence) else "states"


def _has_substance(answer: str) -> bool:
    stated = [sentence for sentence, kind in _sentence_kinds(answer) if kind == "states"]
    # Some scripts write no spaces: two of their characters are about a word.
    return sum(len(sentence.split()) + len(_WIDE.findall(sentence)) // 2 for sentence in stated) >= SUBSTANCE_WORDS


def _sentences(answer: str) -> list[str]:
    plain = _MARKS.sub("", _BULLET.sub(_ITEM, _QUOTED.sub(" … ", answer)))
    return [piece.strip() for piece in _SENTENCE_END.split(plain) if any(map(str.isalnum, piece))]
