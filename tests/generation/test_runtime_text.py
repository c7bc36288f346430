"""Text from bytes that come in any pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rag.generation.runtime_text import TextStream

STOPS = st.lists(st.text("ab\né", min_size=1, max_size=4), max_size=3)


def shown(data: bytes, cuts: list[int], stop: list[str]) -> list[str]:
    stream, at, pieces = TextStream(stop), 0, []
    for cut in [*sorted(cuts), len(data)]:
        pieces.append(stream.add(data[at:cut]))
        at = max(at, cut)
    return [*pieces, stream.end()]


@given(st.text("ab\né€😀", max_size=30), st.lists(st.integers(0, 80), max_size=20), STOPS)
def test_the_text_before_the_first_stop_comes_out_however_it_is_cut(text, cuts, stop):
    ends = [at for at in (text.find(each) for each in stop) if at >= 0]
    assert "".join(shown(text.encode(), cuts, stop)) == text[: min(ends, default=len(text))]


def test_a_character_is_never_half():
    assert [TextStream().add(b"\xc3"), TextStream().end()] == ["", ""]
    stream = TextStream()
    assert [stream.add(bytes([each])) for each in "é€".encode()] == ["", "é", "", "", "€"]
    cut = TextStream()
    assert cut.add(b"a\xe2\x82") + cut.end() == "a"


def test_what_may_begin_a_stop_waits():
    stream = TextStream(["</s>", "<end>"])
    assert [stream.add(part) for part in (b"a<", b"/", b"x<e", b"nd>b")] == ["a", "", "</x", ""]
    assert stream.stopped
    assert stream.add(b"more") + stream.end() == ""
