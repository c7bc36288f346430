"""The pairs that the verifier learns from: (evidence, claim, does it follow), most made from open text.

A claim is a sentence of a passage, reworded by rules. Whether it follows is made by what stands beside it:
the passage with that sentence, without it, or with the sentence changed; so the claim alone tells
nothing. Breaking edits are put into the claim or, as often, into the evidence, and sometimes into
both, which proves again. To these come pairs judged by people: SciFact's training claims and
half of BEGIN's.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import verifier_edits as edits

from rag.sentences import sentence_spans

HANDBOOK = Path(__file__).parents[1] / "data" / "source"


@dataclass(frozen=True, slots=True)
class Pair:
    """Evidence, a claim, whether it follows, and how the pair was made."""

    evidence: str
    claim: str
    follows: bool
    kind: str
    group: str

    @property
    def judged(self) -> bool:
        """Whether people said if the claim follows."""
        return self.kind.startswith(("scifact-", "begin-"))


@dataclass(frozen=True, slots=True)
class Passage:
    """A titled text in sentences."""

    title: str
    sentences: tuple[str, ...]
    source: str
    encyclopedic: bool


def lines(path: Path) -> list[dict]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    return [json.loads(line) for line in text.split("\n") if line]


def fraction(name: str) -> float:
    """A number in 0..1 that depends on the name alone: how halves and folds are chosen."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32


def in_training_half(row: dict) -> bool:
    """Whether a row of BEGIN is of the half that is learnt from. Rows of one context stay together."""
    return fraction("begin:" + row["context"]) < 0.5


def begin(data: Path, *, training: bool) -> list[dict]:
    rows = lines(data / "metrics" / "begin.jsonl")
    return [row for row in rows if row["label"] and in_training_half(row) is training]


def _cut(title: str, text: str, source: str, *, encyclopedic: bool) -> Passage:
    found = [" ".join(text[s.start : s.end].split()) for s in sentence_spans(text)]
    return Passage(title, tuple(s for s in found if 3 <= len(s.split()) <= 60), source, encyclopedic)


def passages(data: Path, rng: random.Random) -> list[Passage]:
    """The open texts: what belongs to questions of test splits, or to SciFact's test claims, is left out."""
    found = []
    for name in ("xquad/en", "nq", "hotpotqa"):
        folder = data / "retrieval" / name
        tested = {row.split("\t")[1] for row in (folder / "qrels" / "test.tsv").read_text().splitlines()[1:]}
        for row in lines(folder / "corpus.jsonl"):
            if row["_id"] not in tested:
                title = "" if name == "xquad/en" else re.sub(r" \(.*", "", row["title"])
                found.append(_cut(title, row["text"], name, encyclopedic=True))
    tested = {
        row["doc_id"] for row in lines(data / "metrics" / "scifact-claims.jsonl") if row["split"] == "test"
    }
    abstracts = [
        row for row in lines(data / "retrieval" / "scifact" / "corpus.jsonl") if row["_id"] not in tested
    ]
    chosen = rng.sample(abstracts, 1200)
    found += [_cut(row["title"], row["text"], "scifact", encyclopedic=False) for row in chosen]
    medical = lines(data / "pairs" / "medquad.jsonl.gz")
    for row in rng.sample(medical, 2200):
        text = " ".join(row["answer"].split()[:220])
        found.append(_cut(row["focus"], text, "medquad", encyclopedic=False))
    for path in sorted(HANDBOOK.glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        spans = sentence_spans(text)
        for at in range(0, len(spans), 8):
            part = text[spans[at].start : spans[min(at + 8, len(spans)) - 1].end]
            found.append(
                _cut(path.stem.split(".")[0].replace("-", " "), part, "handbook", encyclopedic=False)
            )
    return [each for each in found if len(each.sentences) >= 2]


_PRONOUN = re.compile(
    r"(He|She|It|They|The (?:film|company|city|book|song|series|show|team|band|album|game)) (?=\w)"
)


class Maker:
    """Makes pairs of passages; all it draws comes from one seed."""

    def __init__(self, words: edits.Words, texts: list[Passage], seed: int) -> None:
        self.words = words
        self.rng = random.Random(seed)
        self.pools: dict[str, list[str]] = {}
        for each in texts:
            pool = self.pools.setdefault(each.source, [])
            pool += [match.group() for sentence in each.sentences for match in edits.names(sentence)]
        self.texts = texts

    def reworded(self, text: str, passage: Passage, *, least: int = 0) -> str:
        """The sentence in other words, by a few edits that keep its meaning."""
        rng = self.rng
        if passage.encyclopedic and passage.title and _PRONOUN.match(text) and rng.random() < 0.7:
            text = _PRONOUN.sub(passage.title + " ", text, count=1)
        steps: list[tuple[float, Callable[[str, random.Random], str | None]]] = [
            (0.4, edits.without_brackets),
            (0.35, edits.without_tail),
            (0.35, edits.without_head),
            (0.3, edits.head_to_tail),
            (0.3, edits.without_modifier),
            (0.2, edits.other_number_form),
            (0.3, lambda t, r: edits.synonym(t, r, self.words)),
            (0.25, lambda t, r: edits.synonym(t, r, self.words)),
            (0.2, lambda t, r: edits.synonym(t, r, self.words)),
            (0.06, edits.chatty),
            (0.05, edits.reported),
            (0.06, edits.spaced),
            (0.1, edits.lower),
        ]
        for chance, edit in steps:
            if rng.random() < chance:
                new = edit(text, rng)
                if new and len(new.split()) >= 4:
                    text = new
        return text

    def broken(self, text: str, passage: Passage) -> tuple[str, str] | None:
        """The sentence with its meaning changed, and the kind of change."""
        rng, nearby = self.rng, " ".join(passage.sentences)
        pool = self.pools[passage.source]
        table: list[tuple[str, float, Callable[[], str | None]]] = [
            ("number", 3, lambda: edits.other_number(text, rng, nearby)),
            ("month", 1, lambda: edits.other_month(text, rng)),
            ("name", 3, lambda: edits.other_name(text, rng, nearby, pool)),
            ("swap", 1.5, lambda: edits.swapped_names(text, rng)),
            ("negation", 2, lambda: edits.negated(text, rng)),
            ("opposite", 4, lambda: edits.opposite(text, rng, self.words)),
            ("stronger", 1.5, lambda: edits.stronger(text, rng)),
        ]
        left = list(table)
        while left:
            choice = rng.choices(left, [weight for _, weight, _ in left])[0]
            new = choice[2]()
            if new and new != text:
                return new, choice[0]
            left.remove(choice)
        return None

    def evidence(self, passage: Passage, keep: list[str]) -> str:
        text = " ".join(keep)
        if passage.title and self.rng.random() < 0.5:
            text = f"{passage.title}\n{text}"
        return text

    def window(
        self, passage: Passage, at: int, *, sizes: tuple[int, ...] = (1, 2, 3, 3, 4, 5)
    ) -> tuple[int, int]:
        size = min(self.rng.choice(sizes), len(passage.sentences))
        first = max(0, min(at - self.rng.randrange(size), len(passage.sentences) - size))
        return first, first + size

    def of(self, passage: Passage) -> Iterator[Pair]:
        """Pairs of one sentence of a passage: some of proof, some of its lack."""
        rng, all_of_it = self.rng, list(passage.sentences)
        fit = [at for at, s in enumerate(all_of_it) if 6 <= len(s.split()) <= 45 and not s.endswith("?")]
        if not fit:
            return
        at = rng.choice(fit)
        first, end = self.window(passage, at)
        inside = all_of_it[first:end]
        place = at - first
        claim = self.reworded(all_of_it[at], passage)
        group = f"{passage.source}:{passage.title}:{all_of_it[0][:40]}"

        def pair(keep: list[str], said: str, follows: bool, kind: str) -> Pair:
            return Pair(self.evidence(passage, keep), said, follows, kind, group)

        yield pair(inside, claim, True, "proven")
        # Without the sentence: what stands around it does not prove it.
        around = [s for s in all_of_it if s != all_of_it[at]]
        lo, hi = max(0, at - 3), min(len(around), at + 3)
        near = around[lo:hi] or around
        near = near[: rng.randint(1, 4)] if rng.random() < 0.5 else near[-rng.randint(1, 4) :]
        if rng.random() < 0.5:
            yield pair(near, claim, False, "removed")
        change = self.broken(all_of_it[at], passage)
        if change:
            changed, kind = change
            altered = [*inside[:place], changed, *inside[place + 1 :]]
            # The same rewording on both sides of the change leaves no mark of its own.
            said = self.reworded(changed, passage)
            if rng.random() < 0.6:
                yield pair(inside, said, False, kind)
            else:
                yield pair(altered, claim, False, kind)
            if rng.random() < 0.35:
                yield pair(altered, said, True, "both-" + kind)
        if len(fit) > 1 and rng.random() < 0.45:
            yield from self._joined(passage, at, rng.choice([other for other in fit if other != at]), pair)
        if rng.random() < 0.2:
            detail = edits.with_detail(claim, rng, self.pools[passage.source])
            if detail:
                yield pair(inside, detail, False, "detail")
                if rng.random() < 0.4:
                    known = edits.with_detail(all_of_it[at], rng, self.pools[passage.source])
                    yield pair(
                        [*inside[:place], known or "", *inside[place + 1 :]], known or "", True, "both-detail"
                    )
        if rng.random() < 0.06:
            other = rng.choice(self.texts)
            yield pair(list(other.sentences[:3]), claim, False, "other")

    def _joined(self, passage: Passage, at: int, other: int, pair: Callable[..., Pair]) -> Iterator[Pair]:
        """Two sentences in one claim: proven by both, half proven by one."""
        rng, text = self.rng, passage.sentences
        one, two = self.reworded(text[at], passage), self.reworded(text[other], passage)
        start = two[0].lower() + two[1:] if two.split(" ", 1)[0] in edits._NOT_NAMES else two
        joint = rng.choice((", and ", " and ", ". ", "; ", ", while "))
        claim = one.rstrip(".") + joint + (two if joint == ". " else start)
        if len(claim.split()) > 50:
            return
        low, high = min(at, other), max(at, other)
        both = [text[low], text[high]] if high - low > 3 else list(text[low : high + 1])
        left = [s for s in both if s != text[rng.choice((at, other))]]
        extra = [s for s in text[max(0, low - 1) : high + 2] if s not in (text[at], text[other])]
        yield pair(both, claim, True, "joined")
        yield pair([*left, *extra[: rng.randint(0, 2)]] or left, claim, False, "half")


def statements(data: Path, rng: random.Random) -> Iterator[Pair]:
    """Questions turned into statements with their own answers, and with others of their passage."""
    for name in ("xquad/en", "nq", "hotpotqa"):
        folder = data / "retrieval" / name
        texts = {row["_id"]: row for row in lines(folder / "corpus.jsonl")}
        rows = [
            row for row in lines(folder / "questions.jsonl") if row["split"] == "dev" and row["answerable"]
        ]
        answers: dict[str, list[str]] = {}
        for row in rows:
            answers.setdefault(row["documents"][0]["source"], []).append(row["reference"])
        everything = [row["reference"] for row in rows]
        for row in rows:
            sources = [each["source"] for each in row["documents"]]
            whole = [texts[source]["text"] for source in sources]
            group = f"{name}::{whole[0][:40]}"
            claim = as_statement(row["user_input"], row["reference"], rng)
            sentences = [s for text in whole for s in _split(text)]
            if name == "hotpotqa":
                keep = [s for text in whole for s in _split(text)[:3]]
                lack = _split(rng.choice(whole))[:4]
            else:
                holding = [at for at, s in enumerate(sentences) if row["reference"] in s]
                if not holding:
                    continue
                at = _nearest(row["user_input"], sentences, holding)
                first = max(0, at - rng.randint(0, 2))
                keep = sentences[first : at + rng.randint(1, 2)]
                lack = [s for s in sentences[max(0, at - 2) : at + 3] if row["reference"] not in s]
            yield Pair(" ".join(keep), claim, True, "answer", group)
            same = [a for a in answers[sources[0]] if not _alike(a, row["reference"])]
            shaped = [
                a
                for a in everything
                if _shape(a) == _shape(row["reference"]) and not _alike(a, row["reference"])
            ]
            wrong = rng.choice(same) if same and rng.random() < 0.5 else rng.choice(shaped or everything)
            if row["reference"].lower() not in ("yes", "no"):
                yield Pair(
                    " ".join(keep), as_statement(row["user_input"], wrong, rng), False, "wrong-answer", group
                )
            if (lack and name != "hotpotqa") or rng.random() < 0.5:
                yield Pair(" ".join(lack) or "None.", claim, False, "no-answer", group)


def _split(text: str) -> list[str]:
    return [" ".join(text[s.start : s.end].split()) for s in sentence_spans(text)]


def _nearest(question: str, sentences: list[str], holding: list[int]) -> int:
    asked = set(re.findall(r"\w+", question.lower()))
    return max(holding, key=lambda at: len(asked & set(re.findall(r"\w+", sentences[at].lower()))))


def _alike(one: str, other: str) -> bool:
    one, other = one.lower(), other.lower()
    return one in other or other in one


def _shape(answer: str) -> tuple[bool, bool, int]:
    return bool(re.search(r"\d", answer)), answer[:1].isupper(), min(3, len(answer.split()))


_ASKED = re.compile(
    r"(?i)(when|where|in (?:what|which) year|how many [a-z]+|how much|what [a-z]+|what|who|which [a-z]+"
    r"|why|how)"
    r" (did|do|does|is|are|was|were|has|have|can|will)"
    r" ((?:the |a |an )?(?:[A-Z][\w'-]*|[\w'-]+)(?: [A-Z][\w'-]*)*) (.+)"
)


def as_statement(question: str, answer: str, rng: random.Random) -> str:
    """Turn a question and its answer into a statement, plainly."""
    asked = question.strip().rstrip("?").strip()
    short = answer.strip().rstrip(".")
    if answer.lower() in ("yes", "no"):
        return f"{question.strip()} {answer.capitalize()}."
    if rng.random() < 0.25:
        return rng.choice((f"{asked}? {short}.", f"Q: {asked}? A: {short}", f"{short} ({asked}?)"))
    subject = re.match(
        r"(?i)(who|what|which [a-z]+|what [a-z]+|whose [a-z]+) (?!(?:do|does|did|are|were)\b)", asked
    )
    copula = re.match(r"(?i)(?:what|who) (is|was|are|were) (?:the |a |an )?", asked)
    if copula and rng.random() < 0.8:
        rest = asked[copula.end() :]
        tail = f" {copula.group(1).lower()} {short}."
        return f"The {rest}{tail}" if rest[:1].islower() else f"{rest}{tail}"
    if subject:
        return f"{short} {asked[subject.end() :]}."
    aux = _ASKED.match(asked)
    if aux:
        wh, verb, who, rest = (part for part in aux.groups())
        link = {
            "when": " in ",
            "in what year": " in ",
            "in which year": " in ",
            "where": " in ",
            "why": " because of ",
        }
        verb = "" if verb.lower() in ("do", "does") else f" {verb.lower()}"
        return f"{who[0].upper()}{who[1:]}{verb} {rest}{link.get(wh.lower(), ' ')}{short}."
    return f"{asked}: {short}."


def scifact(data: Path, rng: random.Random) -> Iterator[Pair]:
    """Claims judged by scientists, against the evidence that they named, and against what lies beside it."""
    for row in lines(data / "metrics" / "scifact-claims.jsonl"):
        if row["split"] != "train":
            continue
        text = row["context"].split("\n")
        group = f"scifact-abstract:{row['doc_id']}"
        if row["evidence_sentences"]:
            chosen = row["evidence_sentences"]
            first = max(0, min(chosen) - rng.randint(0, 1))
            last = max(chosen) + rng.randint(0, 1)
            keep = (
                text[first : last + 1] if last - first < 5 else [text[at] for at in chosen if at < len(text)]
            )
        else:
            at = _nearest(row["claim"], text, list(range(len(text))))
            first = max(0, at - rng.randint(0, 2))
            keep = text[first : first + rng.randint(2, 4)]
        claim = row["claim"]
        if rng.random() < 0.1:
            claim = claim.lower()
        yield Pair(" ".join(keep), claim, row["label"] == "supported", "scifact-" + row["label"], group)


def conversations(data: Path) -> Iterator[Pair]:
    """The training half of BEGIN: replies, and whether a passage bears them out."""
    for row in begin(data, training=True):
        follows = row["label"] == "supported"
        yield Pair(
            row["context"], row["response"], follows, "begin-" + row["label"], "begin:" + row["context"][:60]
        )


def all_pairs(data: Path, wordnet: Path, *, rounds: int, seed: int = 0) -> list[Pair]:
    """Every pair, in an order that the seed shuffles. `rounds` is how often each passage is drawn from."""
    rng = random.Random(seed)
    texts = passages(data, rng)
    maker = Maker(edits.load_wordnet(wordnet), texts, seed)
    made = [pair for _ in range(rounds) for each in texts for pair in maker.of(each)]
    made += statements(data, rng)
    for _ in range(3):
        made += [*scifact(data, rng), *conversations(data)]
    made = [each for each in made if each.claim.strip() and each.evidence.strip()]
    rng.shuffle(made)
    return made
