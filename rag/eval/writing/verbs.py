"""English verbs by their forms: which word of a sentence is its verb, and what it is without tense."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_IRREGULAR = (
    "begin began begun,become became become,break broke broken,bring brought brought,build built built,"
    "buy bought bought,catch caught caught,choose chose chosen,come came come,cost cost cost,"
    "deal dealt dealt,draw drew drawn,drive drove driven,fall fell fallen,feed fed fed,find found found,"
    "fly flew flown,get got got,give gave given,"
    "go went gone,grow grew grown,hold held held,keep kept kept,know knew known,"
    "lead led led,leave left left,lend lent lent,lie lay lain,lose lost lost,make made made,mean meant meant,"
    "meet met met,pay paid paid,put put put,read read read,rise rose risen,run ran run,say said said,"
    "see saw seen,sell sold sold,send sent sent,set set set,show showed shown,shut shut shut,sit sat sat,"
    "speak spoke spoken,spend spent spent,stand stood stood,take took taken,teach taught taught,"
    "tell told told,think thought thought,throw threw thrown,wear wore worn,win won won,write wrote written"
)
_REGULAR = (
    "accept accompany account achieve acquire add adopt advise affect agree allow announce answer appear "
    "apply appoint approve argue arrange arrive ask assign attach attend attract avoid base belong borrow "
    "burn call cancel carry cause celebrate change charge check claim close collect combine complete "
    "comprise compete confirm connect consider consist construct contain continue contribute control convert "
    "cook cover create cross decide declare defeat define deliver deny depend describe design destroy "
    "develop die differ discover divide dominate earn eat elect employ enable encourage end enter establish "
    "estimate exceed exclude exist expand expect expire explain export express extend face fail feature "
    "fill fit follow force form found fund gain generate graduate grant guarantee handle happen head help "
    "host identify illustrate implement import improve include increase indicate influence inherit inspect "
    "install introduce invade invent invest investigate involve issue join judge last launch lay learn like "
    "limit link list live locate love maintain manage manufacture mark marry match measure mention move name "
    "need note observe obtain occupy occur offer open operate oppose order organise organize outline own "
    "participate pass perform permit place plan play point possess prepare present preserve prevent print "
    "proceed produce prohibit promote propose protect prove provide publish purchase raise range rank reach "
    "receive recognise recognize recommend record reduce refer reflect refuse regard reject relate release "
    "remain remove repair replace report represent request require reserve resign resolve respond result "
    "retain retire return reveal rule sail save score seek seem separate serve settle share sign specify "
    "stay start state stop store study succeed suffer suggest supply support surrender survive switch target "
    "tend test total touch train transfer translate travel treat try turn unite use value vary visit vote "
    "want warn watch weigh work"
)

AUXILIARIES = frozenset(
    "is are was were can could may might must shall should will would cannot has have had".split()
)
"""Words that stand before a subject in a question as they are; has, have and had only before a participle."""


@dataclass(frozen=True, slots=True)
class Form:
    """A finite form: the verb without tense, and what stands before the subject of a question for it."""

    base: str
    support: str


def _s_form(base: str) -> str:
    if base.endswith(("s", "x", "z", "ch", "sh")) or base in ("go", "do"):
        return base + "es"
    return base[:-1] + "ies" if base.endswith("y") and base[-2] not in "aeiou" else base + "s"


def _regular_past(base: str) -> str:
    if base.endswith("e"):
        return base + "d"
    if base.endswith("y") and base[-2] not in "aeiou":
        return base[:-1] + "ied"
    doubled = base in ("cancel", "control", "plan", "refer", "stop", "transfer", "travel", "fit", "permit")
    return base + base[-1] + "ed" if doubled else base + "ed"


def _forms() -> tuple[dict[str, Form], dict[str, Form], frozenset[str]]:
    finite, plain, participles = dict[str, Form](), dict[str, Form](), set[str]()
    verbs = [tuple(each.split()) for each in _IRREGULAR.split(",")]
    verbs += [(base, _regular_past(base), _regular_past(base)) for base in _REGULAR.split()]
    for base, past, participle in verbs:
        participles.add(participle)
        plain[base] = Form(base, "do")
        finite[_s_form(base)] = Form(base, "does")
        if past != base:
            finite.setdefault(past, Form(base, "did"))
    finite["has"], finite["had"], plain["have"] = (
        Form("have", "does"),
        Form("have", "did"),
        Form("have", "do"),
    )
    return finite, plain, frozenset(participles)


_FINITE, _PLAIN, _PARTICIPLES = _forms()
FINITE: Mapping[str, Form] = _FINITE
"""Forms that say their tense: `carries`, `carried`."""
PLAIN: Mapping[str, Form] = _PLAIN
"""Forms that a plural subject has, and an infinitive too: `carry`."""


def is_participle(word: str) -> bool:
    """Whether a word may follow `has` or `was` as a part of the verb."""
    return word in _PARTICIPLES or (len(word) > 4 and word.endswith("ed"))
