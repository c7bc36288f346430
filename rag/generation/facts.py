"""What can be checked without a model: is every number, date, name and quote of a claim in its evidence?

The checks are made to be right when they speak, not to find all: what could be a rounding, an
abbreviation or a way of spelling is let pass. Each thing that is missing becomes a sentence for a
reader. Negation and opposites are compared where claim and evidence are otherwise the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.generation.polarity import reversals
from rag.generation.quantities import ROMAN, Date, Number, Quantities, quantities, roman_numbers
from rag.generation.wording import FUNCTION, MARK, WORD, plain
from rag.sentences import sentence_spans

_ITEM = re.compile(r"^\s*(?:[-*•]|\(?\d{1,2}[.)])\s+")
_QUOTED = re.compile(r"“([^”]+)”|„([^“”]+)[“”]|«([^»]+)»|(?<![\w.,!?])\"(?=\S)([^\"]+)(?<=\S)\"")
_NAME = re.compile(
    r"(?<![\w-])[A-ZÀ-Þ][\w’'&.-]*(?:\s(?:of the |of |the |de |van |von |der |du |la )?[A-ZÀ-Þ][\w’'&.-]*)*"
)
_GERMAN = frozenset("der die das und ist nicht ein eine mit von zu den dem im für auf werden wird".split())
_CAPITALISED = frozenset(
    "i mr mrs ms dr prof sir yes ok english jan feb mar apr jun jul aug sep sept oct nov dec january "
    "february march april may june july august september october november december".split()
)
_PLAIN_NAME = re.compile(r"[A-ZÀ-Þ][a-zß-ÿ’']{2,}|of|the|de|van|von|der|du|la")
_PEOPLES = tuple(
    frozenset(line.split("/"))
    for line in (
        "french/france british/britain/uk/kingdom/english/england american/americans/america/us/usa/states "
        "dutch/netherlands/holland spanish/spain greek/greece/greeks swiss/switzerland danish/denmark/danes "
        "polish/poland/poles turkish/turkey/turks irish/ireland scottish/scotland/scots welsh/wales "
        "german/germany norwegian/norway finnish/finland chinese/china eu/european/europe un/nations"
    ).split()
)


@dataclass(frozen=True, slots=True)
class Checked:
    """What was checked in a claim: how many of each kind, and what is missing, in words for a reader."""

    numbers: int
    names: int
    missing_numbers: tuple[str, ...] = ()
    missing_dates: tuple[str, ...] = ()
    missing_names: tuple[str, ...] = ()
    missing_quotes: tuple[str, ...] = ()
    reversed: tuple[str, ...] = ()
    foreign_names: tuple[str, ...] = ()

    @property
    def grave(self) -> tuple[str, ...]:
        """What speaks against the claim whatever else does: quotes, numbers, dates, names, opposites."""
        facts = (*self.missing_quotes, *self.missing_numbers, *self.missing_dates)
        return tuple(dict.fromkeys((*facts, *self.foreign_names, *self.reversed)))

    @property
    def faults(self) -> tuple[str, ...]:
        """All that is missing. A name may only have another form there, so names come last."""
        return tuple(dict.fromkeys((*self.grave, *self.missing_names)))


def check_facts(claim: str, evidence: Sequence[str], *, known: Sequence[str] = ()) -> Checked:
    """Hold the facts of `claim` against `evidence`.

    Args:
        claim: A statement. Marks such as `[1]` are not part of it.
        evidence: The passages that it rests on; together they must hold every fact.
        known: Texts such as the question, whose names and years may be taken up without proof.
    """
    said = _ITEM.sub("", MARK.sub("", claim)).strip()
    whole = "\n".join(evidence)
    own, there, given = quantities(said), quantities(whole), quantities("\n".join(known))
    names = list(_names(said))
    missing = _missing_names(names, "\n".join((whole, *known)))
    return Checked(
        numbers=len(own.numbers) + len(own.dates) + len(own.times),
        names=len(names),
        missing_numbers=(*_missing_numbers(own, there, given, whole), *_missing_times(own, there)),
        missing_dates=tuple(_missing_dates(own, there, given)),
        missing_names=tuple(_told(name) for name in missing),
        missing_quotes=tuple(_missing_quotes(said, whole)),
        reversed=tuple(reversals(said, evidence)),
        foreign_names=(*plain_names(missing), *misplaced(names, said, evidence)),
    )


# ---------------------------------------------------------------------------------------- numbers and dates


def _missing_numbers(own: Quantities, there: Quantities, given: Quantities, whole: str) -> Iterator[str]:
    held = there.numbers
    loose = {*roman_numbers(whole), *(_years(there)), *(_years(given))}
    for number in own.numbers:
        same = [other for other in held if _is_about(number, other)]
        if any(_counts_alike(number, other) for other in same):
            continue
        if same:
            other = same[0]
            yield f"“{_shown(number)}” is not in what it cites, which has “{_shown(other)}”"
        elif number.value not in loose and not _may_be_counted(number, held):
            yield f"the number {number.text} is not in what it cites"


def _is_about(number: Number, other: Number) -> bool:
    """Whether the claim's number is the other one, or the other one rounded to as many places."""
    if number.value == other.value:
        return True
    coarser = number.grain > other.grain and number.grain * 2 <= abs(number.value)
    return coarser and abs(number.value - other.value) * 2 <= number.grain


def _counts_alike(number: Number, other: Number) -> bool:
    """Whether two numbers may count the same thing: what is not known of either may be so."""
    if "percent" in (number.unit, other.unit) and number.unit != other.unit:
        return not (other.noun if number.unit else number.noun)
    return not (number.unit and other.unit) or number.unit == other.unit


def _may_be_counted(number: Number, held: Sequence[Number]) -> bool:
    """Whether it may be a count that the writer made: a small one in words, of what the evidence lists."""
    if not number.spelled or number.unit or number.value > 5:
        return False
    if number.value == 1 or (number.rank and number.value == 2):
        return True
    return not any(other.noun and other.noun == number.noun for other in held)


def _years(found: Quantities) -> Iterator[object]:
    from decimal import Decimal

    for date in found.dates:
        yield Decimal(date.year)


def _shown(number: Number) -> str:
    glued = number.noun in number.text.lower() or number.unit in ("dollar", "euro", "pound")
    return number.text if glued or not number.noun else f"{number.text} {number.noun}"


def _missing_times(own: Quantities, there: Quantities) -> Iterator[str]:
    held = {minutes for _, minutes in there.times}
    hours = {60 * int(number.value) for number in there.numbers if 0 <= number.value <= 24}
    for text, minutes in own.times:
        if minutes not in held and minutes not in hours and minutes - 720 not in hours:
            yield f"the time {text} is not in what it cites"


def _missing_dates(own: Quantities, there: Quantities, given: Quantities) -> Iterator[str]:
    held = [*there.dates, *(date for date in given.dates if not date.month)]
    years = {date.year for date in held} | {int(number.value) for number in there.numbers}
    for date in own.dates:
        if any(date.within(other) for other in held):
            continue
        if date.year and not date.month and date.year in years:
            continue
        dayless = Date(date.text, 0, date.month, date.day, date.alternative)
        if date.month and date.year in years and any(dayless.within(other) for other in held if other.month):
            continue
        kind = "year" if not date.month else "date"
        yield f"the {kind} {date.text} is not in what it cites"


# --------------------------------------------------------------------------------------------------- names


def _names(text: str) -> Iterator[str]:
    """The capitalised sequences and acronyms, those left out that a sentence's start or a title explains."""
    words = WORD.findall(text)
    lower = [word for word in words if word[0].islower()]
    if len(words) >= 4 and len(lower) < 0.25 * len(words):
        return  # a heading, or a text that capitalises more than names
    if len(_GERMAN & set(lower)) >= 2:
        return
    starts = {span.start for span in sentence_spans(text)}
    for match in _NAME.finditer(text):
        name = match.group().rstrip(".’'-")
        if _opens(text, match.start(), starts):
            head, _, tail = name.partition(" ")
            if not _is_acronym(head) and (not tail or head.lower() in FUNCTION or _is_acronym(tail)):
                name = tail
        name = re.sub(r"^(?:The|A|An|In|Of) ", "", name)
        if name and name.casefold() not in _CAPITALISED and any(len(w) > 1 for w in name.split()):
            yield name


def _opens(text: str, at: int, starts: set[int]) -> bool:
    before = text[:at].rstrip()
    return at in starts or not before or before[-1] in ".:;!?\"“„«(•*-–—'‘|"


def _is_acronym(word: str) -> bool:
    letters = [letter for letter in word if letter.isalpha()]
    return 2 <= len(letters) <= 6 and sum(letter.isupper() for letter in letters) >= 2


def _missing_names(names: Sequence[str], whole: str) -> list[str]:
    """The names that the evidence has in no form."""
    found = []
    words = {plain(word) for word in WORD.findall(whole)}
    parts = {part for word in words for part in re.split(r"[-’']", word)}
    squeezed = re.sub(r"[^\w]", "", plain(whole))
    initials = _initials(whole)
    for name in names:
        missing = [word for word in WORD.findall(name) if not _is_known(word, words | parts, squeezed)]
        missing = [word for word in missing if plain(word) not in FUNCTION | _CAPITALISED]
        if not missing or (_is_acronym(name) and plain(name).replace(".", "") in initials):
            continue
        own = "".join(word[0] for word in WORD.findall(name) if word[0].isupper()).casefold()
        if len(own) >= 2 and own in words:
            continue  # World Health Organization, where WHO stands
        found.append(name)
    return found


def _told(name: str) -> str:
    return f"the name {name} is not in what it cites"


def plain_names(missing: Sequence[str]) -> list[str]:
    """What to say of the missing names that have no other form: no acronyms, symbols or Latin species."""
    return [_told(name) for name in missing if all(_PLAIN_NAME.fullmatch(word) for word in name.split())]


def misplaced(names: Sequence[str], said: str, evidence: Sequence[str]) -> list[str]:
    """What to say of names that stand where the evidence, in the same words, has another name."""
    own = WORD.findall(said)
    sentences = [WORD.findall(text[s.start : s.end]) for text in evidence for s in sentence_spans(text)]
    found = []
    for name in names:
        parts = WORD.findall(name)
        if not all(_PLAIN_NAME.fullmatch(part) for part in parts):
            continue
        for at in range(len(own) - len(parts) + 1):
            if own[at : at + len(parts)] == parts:
                behind = own[at + len(parts) : at + len(parts) + 2]
                others = _before(behind, sentences)
                if others and not any(other in parts for other in others):
                    found.append(f"“{name}” stands where what it cites has “{others[0]}”")
    return found


def _before(behind: Sequence[str], sentences: Sequence[Sequence[str]]) -> list[str]:
    """The words in front of these two; nothing where one of them is no name."""
    if len(behind) < 2 or all(plain(word) in FUNCTION for word in behind):
        return []
    found = [
        words[at - 1]
        for words in sentences
        for at in range(1, len(words) - 1)
        if list(words[at : at + 2]) == list(behind)
    ]
    is_name = all(word[0].isupper() and plain(word) not in FUNCTION for word in found)
    return found if is_name else []


def _is_known(word: str, words: set[str], squeezed: str) -> bool:
    bare = re.sub(r"[’']s?$", "", plain(word))
    if len(bare) < 2 or bare.isdigit() or bare in words or (len(bare) > 3 and bare in squeezed):
        return True
    if word in ROMAN and str(ROMAN[word]) in words:
        return True
    if any(bare in same and same & words for same in _PEOPLES):
        return True
    # Canada and Canadian: names of one stem.
    stem = bare[: max(4, len(bare) - 3)]
    return any(len(other) >= 4 and (other.startswith(stem) or bare.startswith(other)) for other in words)


LONGEST_ACRONYM = 8  # letters


def _initials(text: str) -> set[str]:
    found = set()
    for match in _NAME.finditer(text):
        capitals = [word[0] for word in WORD.findall(match.group()) if word[0].isupper()]
        for start in range(len(capitals)):
            for end in range(start + 2, min(start + LONGEST_ACRONYM, len(capitals)) + 1):
                found.add("".join(capitals[start:end]).casefold())
    return found


# --------------------------------------------------------------------------------------------------- quotes


def _missing_quotes(said: str, whole: str) -> Iterator[str]:
    held = _quotable(whole)
    for match in _QUOTED.finditer(said):
        quote = next(group for group in match.groups() if group)
        if len(quote.split()) < 2:
            continue  # a word in quotation marks is a manner of speaking
        for piece in re.split(r"\s*(?:\.\.\.|…|\[[^\]]*\])\s*", quote):
            if piece and _quotable(piece).strip(" .,;:!?") not in held:
                yield f"the quoted words “{quote}” are not in what it cites"
                break


def _quotable(text: str) -> str:
    """The text with one way of writing spaces, quotation marks and dashes; a first capital does not count."""
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(r"[’‘`´]", "'", re.sub(r"[“”„«»]", '"', re.sub(r"[–—−]", "-", text)))
    return " ".join(text.split()).casefold()
