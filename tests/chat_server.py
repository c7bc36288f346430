"""A real HTTP server of chat completions that replies as a test says, and keeps what it was sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, Mapping[str, str], bytes]


@dataclass
class Served:
    """`replies` gives the reply to a request's body and its number; `sent` and `headers` are what came."""

    url: str
    replies: Callable[[dict[str, Any], int], Reply]
    sent: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    most_at_once: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)


def said(content: str | None, **more: Any) -> Reply:
    """The reply of a server whose model wrote `content`."""
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": content},
        **more,
    }
    body = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
    return 200, {}, json.dumps(body).encode()


def refused(status: int, message: str, **headers: str) -> Reply:
    return status, headers, json.dumps({"error": {"message": message, "type": "error"}}).encode()


@contextmanager
def serving() -> Iterator[Callable[[Callable[[dict[str, Any], int], Reply]], Served]]:
    """What starts servers, which are stopped behind the context."""
    running: list[tuple[ThreadingHTTPServer, threading.Thread, Served]] = []

    def start(replies: Callable[[dict[str, Any], int], Reply]) -> Served:
        lock = threading.Lock()
        busy = [0]

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    served.sent.append(body)
                    served.headers.append(dict(self.headers))
                    number = len(served.sent) - 1
                    busy[0] += 1
                    served.most_at_once = max(served.most_at_once, busy[0])
                status, headers, data = served.replies(body, number)
                with lock:
                    busy[0] -= 1
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name.replace("_", "-"), value)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    if headers.get("Drip"):
                        for at in range(len(data)):
                            self.wfile.write(data[at : at + 1])
                            self.wfile.flush()
                            if served.stopped.wait(0.05):
                                break
                    else:
                        self.wfile.write(data)
                except OSError:
                    pass  # the client has gone

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        served = Served(f"http://127.0.0.1:{server.server_address[1]}/v1", replies)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((server, thread, served))
        return served

    try:
        yield start
    finally:
        for server, thread, served in running:
            served.stopped.set()
            server.shutdown()
            thread.join()
            server.server_close()
