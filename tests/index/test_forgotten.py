from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rag.pipeline import Engine
from tests.fakes import document

Open = Callable[..., Engine]

SECRET = "The ninth lighthouse keeper hid seven silver lanterns below the old harbour wall in March."


def test_a_document_is_forgotten_once_it_is_wiped(open_engine: Open) -> None:
    engine = open_engine()
    engine.add([document(SECRET, "secret"), document("The ferry leaves at noon.", "plain")])
    secret = next(each.id for each in engine.documents() if each.source == "secret")
    there = engine.forgotten(secret, original=SECRET)
    assert not there.gone
    assert any("documents has 1 rows" in line for line in there.left)
    assert any("runs of 8 words" in line for line in there.left)
    engine.delete(secret)
    hidden = engine.forgotten(secret, original=SECRET)
    assert (hidden.gone, hidden.deleted, hidden.wiped) == (False, 2, None)
    assert any("rag compact" in line for line in hidden.left)
    engine.compact()
    gone = engine.forgotten(secret, original=SECRET)
    assert gone.left == ()
    assert gone.gone and gone.wiped > gone.deleted == 2 and gone.files > 5


def test_a_new_version_is_no_receipt_for_the_old_until_it_is_wiped(open_engine: Open) -> None:
    engine = open_engine()
    engine.add(document(SECRET, "a"))
    old = engine.documents()[0].id
    engine.add(document("Nothing of it.", "a"))
    assert not engine.forgotten(old).gone
    engine.compact()
    assert engine.forgotten(old, original=SECRET).gone
    engine.add(document(SECRET, "b"))
    assert not engine.forgotten(old).gone


def test_a_stray_copy_is_found(open_engine: Open, tmp_path: Path) -> None:
    engine = open_engine()
    engine.add([document(SECRET, "a"), document("Other words.", "b")])
    secret = next(each.id for each in engine.documents() if each.source == "a")
    engine.delete(secret)
    engine.compact()
    stray = tmp_path / "index" / "segments" / "copy.txt"
    stray.write_text(SECRET)
    left = engine.forgotten(secret, original=SECRET).left
    assert any("belongs to no commit" in line for line in left)
    assert any("holds bytes of it" in line for line in left)
    assert not engine.forgotten("0" * 64).gone


def test_another_document_with_the_same_words_is_named(open_engine: Open) -> None:
    engine = open_engine()
    engine.add([document(SECRET, "a"), document(f"Copied: {SECRET}", "b")])
    secret = next(each.id for each in engine.documents() if each.source == "a")
    engine.delete(secret)
    engine.compact()
    assert engine.forgotten(secret).gone
    assert any(
        line.startswith("b holds 8 of its 8") for line in engine.forgotten(secret, original=SECRET).left
    )
