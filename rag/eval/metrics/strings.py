"""How alike two texts are by their characters."""

from __future__ import annotations


def string_similarity(one: str, other: str, distance: str = "levenshtein") -> float:
    """1 - the normalised distance of two texts, 0..1; 1 for two empty ones.

    `distance` is `levenshtein` (insertions, deletions and changes over the longer length), `hamming`
    (places that differ, those behind the shorter one's end among them, over the longer length), `jaro`
    or `jaro_winkler` (prefix weight .1).

    Source: Levenshtein 1966; Hamming 1950; Jaro 1989; Winkler 1990; worked out by rapidfuzz.
    """
    from rapidfuzz import distance as distances

    measures = {
        "levenshtein": distances.Levenshtein,
        "hamming": distances.Hamming,
        "jaro": distances.Jaro,
        "jaro_winkler": distances.JaroWinkler,
    }
    return 1 - float(measures[distance].normalized_distance(one, other))


def string_present(response: str, references: tuple[str, ...]) -> float:
    """1 where a reference stands in the response, character for character, else 0."""
    return float(any(reference in response for reference in references))


def verbatim_match(response: str, references: tuple[str, ...]) -> float:
    """1 where the response is a reference, character for character, else 0."""
    return float(response in references)
