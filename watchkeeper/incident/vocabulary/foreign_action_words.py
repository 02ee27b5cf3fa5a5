"""Actions in German, French, Spanish and Japanese (pure)."""

from __future__ import annotations

import re

PARTICIPLES = {
    "rolled back": r"zur\u00fcckgerollt|zur\u00fcckgesetzt|r\u00fcckg\u00e4ngig gemacht"
    r"|annul\u00e9e?s?|revertid[oa]s?",
    "restarted": r"neu gestartet|neugestartet|red\u00e9marr\u00e9e?s?|relanc\u00e9e?s?|reiniciad[oa]s?",
    "scaled": r"(?:hoch|herunter)?skaliert|escalad[oa]s?",
    "silenced": r"stummgeschaltet|silenciad[oa]s?|mis en sourdine",
    "paged": r"alarmiert|benachrichtigt|informiert|geweckt|verst\u00e4ndigt|kontaktiert"
    r"|alert\u00e9e?s?|pr\u00e9venue?s?"
    r"|notifi\u00e9e?s?|inform\u00e9e?s?|avisad[oa]s?|notificad[oa]s?|alertad[oa]s?|informad[oa]s?",
    "disabled": r"deaktiviert|abgeschaltet|ausgeschaltet|aktiviert|d\u00e9sactiv\u00e9e?s?"
    r"|activ\u00e9e?s?|desactivad[oa]s?"
    r"|activad[oa]s?",
    "deleted": r"gel\u00f6scht|geleert|gestoppt|entfernt|supprim\u00e9e?s?|vid\u00e9e?s?"
    r"|eliminad[oa]s?|borrad[oa]s?|detenid[oa]s?",
    "deployed": r"ausgerollt|eingespielt|d\u00e9ploy\u00e9e?s?|desplegad[oa]s?",
    "increased": r"erh\u00f6ht|vergr\u00f6\u00dfert|augment\u00e9e?s?|aumentad[oa]s?|ampliad[oa]s?",
    "renewed": r"erneuert|renouvel\u00e9e?s?|renovad[oa]s?",
    "fixed": r"behoben|corrig\u00e9e?s?|corregid[oa]s?",
}
"""Participles by an English verb of the same action."""
OURS = re.compile(r"\b(?:ich habe|wir haben|habe ich|haben wir|j'ai|nous avons|he|hemos)\b", re.IGNORECASE)
PASSIVE = re.compile(
    r"\b(?:wurden?|worden|a \u00e9t\u00e9|ont \u00e9t\u00e9|fue(?:ron)?|ha sido|han sido)\b", re.IGNORECASE
)
SIMPLE = {
    "paged": r"\bse (?:avis\u00f3|notific\u00f3|alert\u00f3|inform\u00f3)\b|\b(?:avis\u00e9|notifiqu\u00e9)\b"
    r"|\u547c\u3073\u51fa\u3057\u307e\u3057\u305f|\u901a\u77e5\u3057\u307e\u3057\u305f"
    r"|\u9023\u7d61(?:\u6e08\u307f|\u3057\u307e\u3057\u305f)",
    "restarted": r"\breinici\u00e9\b|\u518d\u8d77\u52d5\u3057\u307e\u3057\u305f",
    "rolled back": r"\b(?:revert\u00ed|se revirti\u00f3)\b"
    r"|\u30ed\u30fc\u30eb\u30d0\u30c3\u30af\u3057\u307e\u3057\u305f",
}
"""One word says it all."""
NEGATION = re.compile(
    r"\b(?:nicht|nichts|niemand\w*|kein\w*|noch|weder|ne|n'|pas|personne|aucun\w*|rien|no|nadie"
    r"|nada|ning\u00fan\w*|nunca|sin"
    r"|soll\w*|muss|m\u00fcssen|sobald|wenn|falls|si|doit|devrait|debe\w*)\b|\bn'",
    re.IGNORECASE,
)
BY_OTHERS = re.compile(r"\b(?:von|durch|par|por) (?!(?:mir|uns|moi|nous|m\u00ed|nosotros)\b)[\w@]", re.IGNORECASE)
NEVER_AFTER = re.compile(r"[^.;\n]{0,30}(?:\bnadie\b|\u305b\u3093|\u3044\u306a\u3044)")
