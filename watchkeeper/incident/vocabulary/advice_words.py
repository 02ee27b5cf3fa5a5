"""Markdown, sentences, and the words of advice, plans and doubt (pure)."""

from __future__ import annotations

import re

from watchkeeper.incident.vocabulary.word_lists import word_list

SAME_LENGTH = {
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys([0xA0, 0x202F, 0x3000, *range(0x2000, 0x200E), 0x2060, 0xFEFF], " "),
    **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212"), "-"),
    **dict.fromkeys(map(ord, "\u2018\u2019\u201b\u02bc"), "'"),
    **dict.fromkeys(map(ord, "\u201c\u201d\u201e\u201f\u00ab\u00bb\u300c\u300d"), '"'),
    ord("\u3001"): ",",
    ord("\u2044"): "/",
    ord("\u03bc"): "\u00b5",
    ord("\t"): " ",
    ord("\r"): " ",
}
ADDRESS = re.compile(r"\bhttps?://[^\s)>\]`\"]+", re.IGNORECASE)
FENCE = re.compile(r"^ {0,3}(```+|~~~+)[ ]*(\w*)[^\n]*\n(.*?)(?:^ {0,3}\1[ ]*$|\Z)", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"(?<!`)(`{1,2})(?!`)([^`\n]+?)\1(?!`)")
COMMAND = re.compile(
    r"\s*(?:\$ |#!|sudo |(?:kubectl|helm|git|gh|curl|wget|argocd|docker|crictl|systemctl|journalctl|terraform|aws"
    r"|gcloud|az"
    r"|psql|mysql|redis-cli|kafka-\S+|rabbitmqctl|make|npm|pip|python3?|bash|sh|ssh|watchkeeper|amtool|promtool"
    r"|logcli"
    r"|consul|vault|nomad|ansible\S*|etcdctl|openssl|dig|nslookup|ping|traceroute|nc|top|free|df|du|ps|kill|grep"
    r"|jq|jcmd"
    r"|jmap|jstack|flyctl|heroku|istioctl|linkerd|flux|velero|select|update|insert|delete|alter|create|drop|explain"
    r"|vacuum|set|export|cd|cat|tail|less|vi)\s)",
    re.IGNORECASE,
)
COMMAND_LANGUAGES = {"bash", "sh", "shell", "zsh", "console", "promql", "logql", "sql", "yaml", "yml", "hcl", "diff"}
QUERY = re.compile(r"\b(?:rate|increase|sum|avg|histogram_quantile|count_over_time|topk|irate)\s*\(|\|=|=~|\{\w+=")
MARKS = re.compile(
    r"\*+|`+|~~+|&nbsp;|(?<![A-Za-z0-9_])_{1,2}(?=\S)|(?<=\S)_{1,2}(?![A-Za-z0-9_])|</?(?:b|i|em|strong|code|u|sup)>"
)
BREAK = re.compile(r"<br ?/?>")
LINE_START = re.compile(
    r"[ ]*(?:[>#|]+[ ]*|(?:[-+\u2022\u25aa\u25cf\u25e6\u2192]|\(?\d{1,2}[.)])[ ]+|\[[ xX]\]["
    r" ]+)*"
)
UNCHECKED = re.compile(r"[ ]*(?:[-+\u2022]|\d{1,2}[.)])?[ ]*\[ \][ ]")
NOT_END = r"(?<!\be\.g)(?<!\bi\.e)(?<!\bapprox)(?<!\bca)(?<!\bvs)(?<!\bz\.B)(?<!\bNo)(?<!\betc)(?<!\bresp)(?<!\bcf)"
SENTENCE_END = re.compile(rf"{NOT_END}[.!?]+[\"')\]]*(?=\s|$)|[\u3002\uff01\uff1f]")
CLAUSE_END = re.compile(
    r"[;|()\u2014]|:(?=\s|$)|,(?=\s)|\s-{1,2}\s|\s(?=(?:and|but|so|because|since|while|whereas|which|although"
    r"|given|then"
    r"|therefore|weil|denn|und|aber|parce|car|et|mais)\s)",
    re.IGNORECASE,
)
JOINING_WORD = re.compile(r"(?:, )?(as|\w+)\b")
RESETS = {";", "\u2014", "because", "since", "given", "although", "weil", "denn", "parce", "car", "whereas"}
ADVICE_LABEL = re.compile(
    r"\bnext\b(?! in\b| to\b| of\b)|\bplease\b|i'd like|\bshould\b|lessons|(?:long|short)(?:er)?[ -]term"
    r"|permanent|improve|harden"
    r"|decision|how to|\bideas?\b"
    r"|remains to|left to do|way forward|possible|potential|recommend|suggest|advice|to.?do\b|action(?:s"
    r"| items?)? (?:needed|required|to take|items?)|action items"
    r"|mitigation"
    r"|remediation|follow.?up|propos|options?\b|expected (?:time|effect|result)|eta\b|prevent|plan\b|what to do"
    r"|what i would|if (?:it|this|errors)|n\u00e4chste"
    r"|empfehl"
    r"|prochaine|recommand|pr\u00f3xim|siguiente|\u6b21\u306e|\u63a8\u5968|\u5bfe\u5fdc\u6848|\u4eca\u5f8c"
    r"|\u5efa\u8bae",
    re.IGNORECASE,
)
ADVICE_SECTION = re.compile(
    r"\bnext\b(?! in\b| to\b| of\b)|recommend|suggest|to.?do\b|follow.?up|action items|propos|prevent|\bplan\b"
    r"|\bplease\b|should|lessons"
    r"|options?\b",
    re.IGNORECASE,
)
"""Headings under which every line is advice, also one with its own label."""
LABEL = re.compile(r"[^\W\d_][\w ,/'()-]{1,48}(?=:(?:\s|$))")
FACT_LABEL = re.compile(
    r"\b(?:logs?|errors?|messages?|exceptions?|samples?|symptoms?|causes?|triggers?|reasons?|evidence|findings?"
    r"|facts?|impact|status|since|when|timeline|scope"
    r"|suspects?|culprit"
    r"|ruled out|not the cause|excluded|rejected|introduced|deploy|release|version|change|summary"
    r"|actions? taken|done)\b",
    re.IGNORECASE,
)
"""Before a fact: a noun follows, and no command."""
FACT_SECTION = re.compile(
    r"\W*(?:evidence|facts?|findings?|timeline|ruled out|not the cause|root causes?|cause|impact|observations?"
    r"|what happened|why)\b",
    re.IGNORECASE,
)
NOUN_LABEL = re.compile(
    r"(?:retry|alert|page|load|search|limit|test|request|log|stage|deploy|release|call|profile|cause|order"
    r"|address|cover"
    r"|change|scale|report|check|review|monitor|stop|start|run|export|import|cache|queue|process) [\w -]+$",
    re.IGNORECASE,
)
"""``Retry queue:`` is no command."""
BOLD_LINE = re.compile(r"[ ]*\*\*[^*\n]{2,60}\*\*:?[ ]*$")
MARKER = re.compile(
    r"\b(?:should|shall|must|ought|would(?! have)|could(?! not|n't)|need(?:s|ed)? to|needs|recommend(?:s|ed|ing)?"
    r"|recommendations?(?= *(?::|is |are ))|suggested"
    r"|suggestions?|(?:i|we|we'd|i'd) suggest|advis\w+|propos\w+|please|consider(?:ing|s)?|next steps?"
    r"|will(?! not have)"
    r"|going to"
    r"|plan(?:s|ned|ning)? to|if|unless|until(?! +(?:about |around |~ ?)?\d)|in case|as soon as|whether|to be"
    r"|let's|want"
    r"|ideally|can (?:then )?be(?! (?:excluded|ruled out|seen|explained|dismissed|found|traced|attributed"
    r"|confirmed|read))|may want|had better|instead of|rather than|make sure|ensure|verify|confirm|would be"
    r"|once (?:the|it|all|errors|v\d|that|they|confirmed|done|everything)|expected (?:end|finish|completion"
    r"|time|at)|estimated (?:end|time)|is expected to|are expected to|typically"
    r"|in general"
    r"|by default|for example|worth|ready to|whenever|aim|in order to|wait(?:ing)? (?:for|until)|unclear|not known"
    r"|unknown|(?:i|we) (?:could not|cannot|can't|couldn't)|unable to"
    r"|soll(?:te|ten)?|empfehl\w*|empfohlen|bitte|falls|wenn|sobald|werden wir|muss|m\u00fcssen|w\u00fcrde"
    r"|k\u00f6nnte|bis zum"
    r"|devrait|devraient|recommand\w+|faut|veuillez|si (?:les?|la|l'|le|une?|\u00e7a|cela)|il faudrait|deber\w+"
    r"|recomend\w+)\b"
    r"|'ll\b|'d\b(?! (?:already |just |also )?(?:\w{2,}(?<!e)ed|been)\b)|\b(?:i|we) can\b(?! see| tell| say| find)"
    r"|\u63a8\u5968|\u304f\u3060\u3055\u3044|\u3079\u304d|\u5834\u5408|\u5fc5\u8981|\u3057\u307e\u3057\u3087\u3046"
    r"|\u4e88\u5b9a|\u5efa\u8bae|\u5e94\u8be5|\u5982\u679c",
    re.IGNORECASE,
)
"""Words of advice, plans, conditions and doubt."""
RELATIVE = re.compile(
    r"\b(?:that|which|who) (?:should|would|could|must|ought to|needs? to|will)\b(?=.{1,80}?\b(?:is|are|was|were"
    r"|has|had)\b)",
    re.IGNORECASE,
)
"""The timer that should do this is dead: no advice."""
UNAMBIGUOUS = word_list(
    "roll revert increase raise reduce lower set check monitor watch verify confirm"
    " investigate review look consider keep wait ask contact notify escalate add disable enable drain fail switch"
    " run use open close silence mute extend bump block pause stop start kill delete clear flush purge tune"
    " upgrade downgrade rebuild rerun re-run retry compare correlate follow inspect examine validate ensure make"
    " do don't avoid let have give take apply hold halt freeze declare inform tell move shift route re-route"
    " reroute cordon evict expand resize rotate renew see identify determine find expect allow treat abort promote"
    " remove replace continue stay aim schedule prepare coordinate engage involve loop ping join remember redeploy"
    " put turn go try return double halve create profile capture collect cap evaluate assess bring get decide"
    " provision trigger resume throttle repeat re-check recheck reach reset restore hand address"
)
AMBIGUOUS = word_list(
    "page rollback restart scale deploy release alert search limit test patch update fix call request"
    " plan target load ship read change pin note report measure track log stage"
)
FIRST_WORDS = re.compile(
    r"[\s\"'(\[]*(?:(?:please|maybe|perhaps|possibly|later|additionally|then|and|also|immediately|now|or|first"
    r"|second|finally|optionally|otherwise|but|so"
    r"|next|meanwhile"
    r"|in parallel|afterwards|if needed|if necessary|manually|carefully|urgently|bitte)[,:]?\s+)*([a-z][a-z'-]*)\b",
    re.IGNORECASE,
)
PERFECT = re.compile(r" (?:\w+ly |also |already |now )?(?:\w{2,}ed|been|sent|taken|set|put|done|made)\b", re.IGNORECASE)
"""After ``have`` that is an auxiliary verb, and no command: and have scaled the service."""
FINITE = re.compile(
    r"\b(?:is|are|was|were|has|have|had|looks?|seems?|remains?|appears?|broke|caused|went|came|led|began|shows?"
    r"|showed|did|does|took|sent|ran|got"
    r"|rose|fell"
    r"|\w{2,}ed)\b|\bby [a-z]|\bat \d|\bcount\b",
    re.IGNORECASE,
)
INDICATIVE = re.compile(r"\b(?:is|are|was|were|has|have|had|shows?|showed)\b", re.IGNORECASE)
PAST = re.compile(r"\b(?:was|were|had|showed)\b", re.IGNORECASE)
CONDITIONAL = re.compile(r"\W*(?:if|unless|should|suppose|once)\b", re.IGNORECASE)
"""The beginning of a sentence in which the present tense states nothing."""
STATED_ASIDE = re.compile(
    r"\b(?:done|executed|completed|deployed|released|merged|pushed|was|were|since|seen|measured)\b"
    r"|\bby (?!default)[a-z]",
    re.IGNORECASE,
)
QUOTATION = re.compile(r"\"[^\"\n]{6,400}\"")
"""What is quoted is no advice of the report, and its colons end no clause."""
SUBJECT_AFTER = re.compile(
    r"\s+(?:#?\d+\s+)?(?:been|is|are|was|were|has|have|had|fails?|failed|answers?|answered|returns?|returned"
    r"|shows?|showed|responds?|serves?"
    r"|served|looks?|seems?|needs?|went|began|started|stopped|recovered|got|does|ran|crash(?:es|ed)|restarted)\b|[-_]",
    re.IGNORECASE,
)
"""After a word such as ``profile`` that is the name of a service here, and no command."""
