"""Edits of a sentence that keep its meaning, and edits that break it: what the verifier learns from.

Each takes a sentence and a `random.Random`, and returns an edited one, or None where it does not apply.
Words are exchanged by WordNet 3.1 (its licence lets it be used and passed on; only the weights that
were fitted with its help are shipped), handed in as `Words`.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from pathlib import Path

_PAIRS = """
increase/decrease increased/decreased increases/decreases increasing/decreasing higher/lower high/low
more/less most/least before/after first/last north/south northern/southern east/west eastern/western
raise/reduce raised/reduced won/lost wins/loses win/lose positive/negative allowed/forbidden
required/optional always/never all/some include/exclude includes/excludes included/excluded
including/excluding activates/inhibits activation/inhibition promotes/prevents promote/prevent up/down
early/late earlier/later larger/smaller large/small largest/smallest male/female men/women man/woman
husband/wife brother/sister father/mother son/daughter his/her king/queen left/right inside/outside
above/below upper/lower longer/shorter long/short longest/shortest older/younger oldest/youngest old/new
better/worse best/worst good/bad rich/poor public/private open/closed opened/closed begins/ends began/ended
beginning/end start/stop started/stopped accept/reject accepted/rejected strong/weak stronger/weaker
many/few majority/minority minimum/maximum at-least/at-most over/under summer/winter day/night
morning/evening Monday/Thursday January/October June/March April/November acute/chronic common/rare
improves/worsens improved/worsened gain/loss rise/fall rose/fell above/below possible/impossible
legal/illegal safe/dangerous successful/unsuccessful internal/external domestic/foreign
American/British English/French Chinese/Japanese German/Italian Roman/Greek with/without same/different
both/neither can/cannot must/need-not is/was-never before/since until/from black/white red/blue
true/false easy/difficult fast/slow hot/cold wet/dry import/export buy/sell bought/sold
upstream/downstream sensitive/resistant dependent/independent employer/employee teacher/student
doctor/patient author/reader plaintiff/defendant weekly/monthly daily/weekly annual/monthly
days/weeks weeks/months months/years hours/minutes minutes/seconds hour/day kilometres/miles
million/billion thousand/million percent/times metres/feet pounds/dollars euros/pounds
""".split()
OPPOSITES: dict[str, list[str]] = {}
for _pair in _PAIRS:
    _one, _other = (side.replace("-", " ") for side in _pair.split("/"))
    OPPOSITES.setdefault(_one, []).append(_other)
    if " " not in _other:
        OPPOSITES.setdefault(_other, []).append(_one)

_WORD = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)*")
_NUMBER = re.compile(r"(?<![\w.,])\d[\d,]*(?:\.\d+)?(?![\w])")
_NAME = re.compile(
    r"(?:[A-Z][\w’'&-]+|[A-Z]\.)(?: (?:of |the |de |van |von |and )?(?:[A-Z][\w’'&-]+|[A-Z]\.))*"
)
_AUXILIARY = re.compile(
    r"\b(is|are|was|were|has|have|had|can|could|will|would|may|might|should|must|does|do|did)\b(?! not| n't)"
)
_NOT = re.compile(r"\b(not |never |n't\b|no )", re.IGNORECASE)
_SMALL = "zero one two three four five six seven eight nine ten eleven twelve".split()
_MONTHS = "January February March April May June July August September October November December".split()
_STOP = frozenset(
    "the a an of in on at to for and or but by with from as is are was were be been it its this that these "
    "those he she they his her their we you i not no has have had do does did can will would may".split()
)
_NOT_NAMES = frozenset(
    "The A An In On At It He She They This That These Those However But And If When While For From By As "
    "Its His Her Their There After Before During Since Although Some Many Most All Each Other Such".split()
)


@dataclass(frozen=True, slots=True)
class Words:
    """Words of like and of opposite meaning."""

    synonyms: dict[str, list[str]]
    antonyms: dict[str, list[str]]


def load_wordnet(folder: Path) -> Words:
    """Read synonyms of words with one sense (or one that outweighs the others), and antonyms."""
    counts: dict[tuple[str, str], int] = {}
    for line in (folder / "index.sense").read_text(encoding="utf-8").splitlines():
        key, offset, _, count = line.split()
        counts[(key.split("%")[0], offset)] = int(count)
    rows: dict[tuple[str, str], tuple[list[str], list[tuple[int, str, int]]]] = {}
    for kind in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"data.{kind}").read_text(encoding="utf-8").splitlines():
            if line.startswith("  "):
                continue
            fields = line.split(" | ")[0].split()
            many = int(fields[3], 16)
            words = [re.sub(r"\(.*\)", "", fields[4 + 2 * at]) for at in range(many)]
            at = 4 + 2 * many
            pointers = []
            for number in range(int(fields[at])):
                symbol, target, _, sides = fields[at + 1 + 4 * number : at + 5 + 4 * number]
                if symbol == "!":
                    source, there = divmod(int(sides, 16), 256)
                    pointers.append((source, target, there))
            rows[(kind, fields[0])] = (words, pointers)
    senses: dict[str, list[tuple[int, str, str]]] = {}
    for (kind, offset), (words, _) in rows.items():
        for word in words:
            senses.setdefault(word, []).append((counts.get((word.lower(), offset), 0), kind, offset))
    synonyms: dict[str, list[str]] = {}
    antonyms: dict[str, list[str]] = {}
    for word, found in senses.items():
        if not word.isalpha() or not word.islower() or len(word) < 4:
            continue
        found.sort(reverse=True)
        total = sum(count for count, _, _ in found)
        _, kind, offset = found[0]
        words, pointers = rows[(kind, offset)]
        others = [other for other in words if other != word and other.isalpha() and other.islower()]
        if others and (len(found) == 1 or (total >= 5 and found[0][0] >= 0.8 * total)):
            synonyms[word] = others
        for source, target, target_word in pointers:
            if source and words[source - 1] == word:
                opposite = rows[(kind, target)][0][target_word - 1]
                if opposite.isalpha():
                    antonyms.setdefault(word, []).append(opposite)
    return Words(synonyms, antonyms)


def _put(text: str, match: re.Match[str], new: str) -> str:
    old = match.group()
    if old[:1].isupper() and new[:1].islower() and not old.isupper():
        new = new[0].upper() + new[1:]
    return text[: match.start()] + new + text[match.end() :]


# ------------------------------------------------------------------ edits that keep the meaning


def synonym(text: str, rng: random.Random, words: Words) -> str | None:
    """Exchange one word for a synonym."""
    spots = [m for m in _WORD.finditer(text) if m.group() in words.synonyms]
    if not spots:
        return None
    match = rng.choice(spots)
    return _put(text, match, rng.choice(words.synonyms[match.group()]))


def without_brackets(text: str, rng: random.Random) -> str | None:
    """Leave out what stands in brackets."""
    new = re.sub(r" ?\([^()]*\)", "", text)
    return new if new != text else None


def without_tail(text: str, rng: random.Random) -> str | None:
    """Leave out a clause at the end that only adds."""
    spots = list(re.finditer(r"(,? which | who |, where |, when |; |, and |, but |, although |, as )", text))
    spots = [m for m in spots if m.start() > 30]
    if not spots:
        return None
    cut = rng.choice(spots)
    if cut.group() == " who ":
        return None
    return text[: cut.start()].rstrip(",; ") + "."


def without_head(text: str, rng: random.Random) -> str | None:
    """Leave out an opening phrase up to its comma."""
    match = re.match(
        r"(In|On|At|By|During|After|Before|Since|For|With|As|However|Moreover|Also|Thus|Today|According to)"
        r"\b[^,]{0,50}, (?=\w)",
        text,
    )
    if not match:
        return None
    rest = text[match.end() :]
    return rest[0].upper() + rest[1:] if len(rest) > 25 else None


def head_to_tail(text: str, rng: random.Random) -> str | None:
    """Move an opening phrase of time or place to the end."""
    match = re.match(r"((?:In|On|At|During|By|Since) [^,]{2,40}), (?=\w)", text)
    if not match or not text.endswith("."):
        return None
    rest, head = text[match.end() : -1], match.group(1)
    return rest[0].upper() + rest[1:] + " " + head[0].lower() + head[1:] + "."


def without_modifier(text: str, rng: random.Random) -> str | None:
    """Leave out an adverb."""
    spots = list(
        re.finditer(r" (?!only|early|family|daily|weekly|monthly|nearly|barely|hardly)[a-z]{4,}ly(?= )", text)
    )
    if not spots:
        return None
    cut = rng.choice(spots)
    return text[: cut.start()] + text[cut.end() :]


def other_number_form(text: str, rng: random.Random) -> str | None:
    """Write a number another way: 1,234 as 1234, 3 as three."""
    spots = list(_NUMBER.finditer(text))
    rng.shuffle(spots)
    for match in spots:
        old = match.group()
        if "," in old and len(old) >= 5:
            return _put(text, match, old.replace(",", ""))
        if old.isdigit() and int(old) <= 12:
            return _put(text, match, _SMALL[int(old)])
    for match in _WORD.finditer(text):
        if match.group() in _SMALL[2:]:
            return _put(text, match, str(_SMALL.index(match.group())))
    return None


def lower(text: str, rng: random.Random) -> str | None:
    """Write it in lower case."""
    return text.lower()


def spaced(text: str, rng: random.Random) -> str | None:
    """Put spaces around the signs, as tokenised text has them."""
    return re.sub(r"\s+", " ", re.sub(r"([,.;:()])(?!\d)", r" \1 ", text)).strip()


def chatty(text: str, rng: random.Random) -> str | None:
    """Say it as one talks."""
    start = rng.choice(
        ("Yes, ", "I think ", "Well, ", "Did you know that ", "Sure, ", "Actually, ", "I know that ")
    )
    end = "?" if start.startswith("Did") else "."
    body = text.rstrip(".")
    first = body.split(" ", 1)[0]
    return start + (body[0].lower() + body[1:] if first in _NOT_NAMES else body) + end


def reported(text: str, rng: random.Random) -> str | None:
    """Say that the source says so."""
    start = rng.choice(
        ("According to the document, ", "The text says that ", "It is stated that ", "As noted, ")
    )
    first = text.split(" ", 1)[0]
    return start + (text[0].lower() + text[1:] if first in _NOT_NAMES else text)


# ------------------------------------------------------------------ edits that break the meaning


def other_number(text: str, rng: random.Random, nearby: str) -> str | None:
    """Exchange a number for another one, of the passage where it has one of like size."""
    spots = list(_NUMBER.finditer(text))
    word_spots = [m for m in _WORD.finditer(text) if m.group().lower() in _SMALL[2:]]
    if word_spots and (not spots or rng.random() < 0.2):
        match = rng.choice(word_spots)
        return _put(text, match, rng.choice([w for w in _SMALL[2:] if w != match.group().lower()]))
    if not spots:
        return None
    match = rng.choice(spots)
    old = match.group()
    held = {m.group() for m in _NUMBER.finditer(text)}
    near = sorted({m.group() for m in _NUMBER.finditer(nearby)} - held)
    near = [other for other in near if abs(len(other) - len(old)) <= 1]
    if near and rng.random() < 0.5:
        return _put(text, match, rng.choice(near))
    digits = list(old)
    places = [at for at, digit in enumerate(digits) if digit.isdigit()]
    year = old.isdigit() and len(old) == 4 and old[:2] in ("18", "19", "20")
    at = rng.choice(places[2:] if year else places)
    digits[at] = rng.choice([d for d in "123456789" if d != digits[at]])
    return _put(text, match, "".join(digits))


def other_month(text: str, rng: random.Random) -> str | None:
    """Exchange a month."""
    spots = [m for m in _WORD.finditer(text) if m.group() in _MONTHS and m.group() != "May"]
    if not spots:
        return None
    match = rng.choice(spots)
    return _put(text, match, rng.choice([m for m in _MONTHS if m != match.group()]))


def names(text: str) -> list[re.Match[str]]:
    """The capitalised sequences of a text, those that only open a sentence left out."""
    found = []
    for match in _NAME.finditer(text):
        alone = " " not in match.group()
        if alone and (match.group() in _NOT_NAMES or match.start() == 0 or match.group() in _MONTHS):
            continue
        if match.group().split()[0] in _NOT_NAMES:
            continue
        found.append(match)
    return found


def other_name(text: str, rng: random.Random, nearby: str, pool: list[str]) -> str | None:
    """Exchange a name for another one of the passage, or of the pool."""
    spots = names(text)
    if not spots:
        return None
    match = rng.choice(spots)
    held = {m.group() for m in spots}
    near = sorted({m.group() for m in names(nearby)} - held)
    near = [each for each in near if each not in text and match.group() not in each]
    source = near if near and rng.random() < 0.7 else pool
    if not source:
        return None
    new = rng.choice(source)
    return None if new in text else text[: match.start()] + new + text[match.end() :]


def swapped_names(text: str, rng: random.Random) -> str | None:
    """Let two names change places."""
    spots = names(text)
    if len(spots) < 2 or re.search(r"\b(and|or|between|with)\b", text[spots[0].end() : spots[1].start()]):
        return None
    one, other = spots[0], spots[1]
    if "," in text[one.end() : other.start()] or one.group() == other.group():
        return None
    return (
        text[: one.start()]
        + other.group()
        + text[one.end() : other.start()]
        + one.group()
        + text[other.end() :]
    )


def negated(text: str, rng: random.Random) -> str | None:
    """Say the opposite by a `not`, or by leaving it out."""
    found = _NOT.search(text)
    if found and rng.random() < 0.8:
        return text[: found.start()] + text[found.end() :].lstrip() if found.group().strip() != "no" else None
    spots = list(_AUXILIARY.finditer(text))
    if not spots:
        return None
    match = spots[0]
    word = rng.choice((" not", " not", " not", " never"))
    if rng.random() < 0.2 and match.group() in ("is", "are", "was", "were", "could", "would", "did", "does"):
        word = "n't"
    return text[: match.end()] + word + text[match.end() :]


def opposite(text: str, rng: random.Random, words: Words) -> str | None:
    """Exchange a word for its opposite."""
    spots = [m for m in _WORD.finditer(text) if m.group() in OPPOSITES or m.group() in words.antonyms]
    spots = [
        m for m in spots if m.group() not in ("is", "over", "can", "from", "end", "day") or rng.random() < 0.1
    ]
    if not spots:
        return None
    match = rng.choice(spots)
    choices = OPPOSITES.get(match.group()) or words.antonyms[match.group()]
    return _put(text, match, rng.choice(choices))


def stronger(text: str, rng: random.Random) -> str | None:
    """Claim more than is said: may becomes does, some becomes all."""
    table = (
        (r"\bmay be\b", "is"),
        (r"\bcan be\b", "is always"),
        (r"\bsome\b", "all"),
        (r"\bmany\b", "all"),
        (r"\bmost\b", "all"),
        (r"\bsometimes\b", "always"),
        (r"\boften\b", "always"),
        (r"\busually\b", "always"),
        (r"\bsuggests? that\b", "proves that"),
        (r"\bassociated with\b", "caused by"),
        (r"\bone of the\b", "the"),
        (r"\bnearly\b", "more than"),
        (r"\babout\b", "exactly"),
        (r"\bup to\b", "more than"),
        (r"\bplanned to\b", "refused to"),
        (r"\bmight\b", "will"),
        (r"\blikely\b", "certain"),
    )
    spots = [(pattern, new) for pattern, new in table if re.search(pattern, text)]
    if not spots:
        return None
    pattern, new = rng.choice(spots)
    return re.sub(pattern, new, text, count=1)


def with_detail(text: str, rng: random.Random, pool: list[str]) -> str | None:
    """Add a detail that nothing says."""
    body = text.rstrip(".")
    tails = [
        f" in {rng.randint(1850, 2023)}",
        f" for {rng.randint(2, 40)} years",
        f" at a cost of ${rng.randint(2, 90)} million",
        ", which drew wide criticism",
        ", the first of its kind",
        " and it is still the largest in the country",
        ", after a long legal dispute",
        " for the third time",
        ", according to official figures",
        ", which I really enjoy",
        ", and I love it",
        ", it is so much fun",
        ", have you heard of it",
        " to great acclaim",
        ", despite strong opposition",
        " within two weeks",
    ]
    if pool:
        tails += [
            f" in {rng.choice(pool)}",
            f", together with {rng.choice(pool)}",
            f" by order of {rng.choice(pool)}",
        ]
    return body + rng.choice(tails) + "."
