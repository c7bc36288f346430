"""Models by name: folders, digests, and a hub that stands on this machine for the test."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tiny_gguf import write_gguf

from rag.errors import ModelRefused
from rag.generation.models import examine_model, find_models, resolve_model
from rag.generation.runtime import open_model

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_gguf(tmp_path / "tiny.gguf")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_folder_is_searched_and_what_is_missing_is_named(path, tmp_path):
    (tmp_path / "deep").mkdir()
    other = write_gguf(tmp_path / "deep" / "Other.GGUF")
    (tmp_path / "notes.txt").write_text("no model")
    assert find_models([tmp_path]) == find_models([other, path, tmp_path]) == sorted([path, other])
    with pytest.raises(ModelRefused, match="is not there"):
        find_models([tmp_path / "missing"])


def test_a_look_says_what_a_file_is_or_why_it_is_refused(path, tmp_path):
    found = examine_model(path)
    assert (found.reason, found.family, found.context_tokens) == ("", "chatml", 2048)
    assert found.runtime in ("llama", "openvino")
    assert examine_model(path, context_tokens=100).context_tokens == 100
    assert "smaller quantisation" in examine_model(path, free=1000).reason
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(path.read_bytes()[:1000])
    assert "damaged" in examine_model(damaged).reason


def test_a_file_is_the_one_of_its_digest_or_none(path):
    assert resolve_model(path) == path
    assert resolve_model(f"{path}@sha256:{sha256(path).upper()}") == path
    pinned = f"{path}@sha256:{sha256(path)}"
    assert open_model(pinned, threads=1).file.path == path
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelRefused, match="not the one that was named"):
        open_model(pinned, threads=1)


class Hub(BaseHTTPRequestHandler):
    """Serves one file as a hub does."""

    data = b""
    asked: list[str]

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        type(self).asked.append(self.path)
        known = self.path.split("?")[0] == "/owner/repository/resolve/main/tiny.gguf"
        self.send_response(200 if known else 404)
        self.send_header("ETag", f'"{hashlib.sha256(self.data).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(self.data) if known else 0))
        self.end_headers()
        if body and known:
            self.wfile.write(self.data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    constants = pytest.importorskip("huggingface_hub.constants", reason="huggingface_hub is not installed")
    serving = type("Serving", (Hub,), {"data": path.read_bytes(), "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), serving)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield serving
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_file_of_a_hub_is_fetched_when_asked_and_compared(hub, path):
    name = f"hf:owner/repository/tiny.gguf@sha256:{sha256(path)}"
    with pytest.raises(ModelRefused, match="rag models --fetch hf:owner"):
        resolve_model(name)
    assert hub.asked == []
    fetched = resolve_model(name, fetch=True)
    assert fetched.read_bytes() == path.read_bytes()
    assert hub.asked
    hub.asked.clear()
    assert resolve_model(name).read_bytes() == path.read_bytes()
    assert hub.asked == []


def test_a_hub_that_gives_another_file_is_not_believed(hub):
    with pytest.raises(ModelRefused, match="not the one that was named"):
        resolve_model(f"hf:owner/repository/tiny.gguf@sha256:{'0' * 64}", fetch=True)


def test_what_a_hub_does_not_have_and_a_hub_that_is_not_there_are_told(hub, monkeypatch):
    with pytest.raises(ModelRefused, match="cannot be had"):
        resolve_model(f"hf:owner/repository/other.gguf@sha256:{'0' * 64}", fetch=True)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda _: None)  # between tries
    with pytest.raises(ModelRefused, match="cannot be had"):
        resolve_model(f"hf:owner/repository/tiny.gguf@sha256:{'0' * 64}", fetch=True)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("hf:owner/repository/tiny.gguf", "needs its digest"),
        (f"hf:owner/tiny.gguf@sha256:{'0' * 64}", "does not read"),
        (f"hf:owner/repository/../../x.gguf@sha256:{'0' * 64}", "does not read"),
        (f"hf:owner/repository/model.bin@sha256:{'0' * 64}", "does not read"),
    ],
)
def test_a_name_of_a_hub_that_is_none_is_refused(name, why):
    with pytest.raises(ModelRefused, match=why):
        resolve_model(name, fetch=True)
