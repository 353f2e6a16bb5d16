"""A Maven repository of the test's own, on this machine, that can misbehave like a real network."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from workers.cluster.artifacts import Artifact

Answer = Callable[["Request", bytes], None]
"""Answers one request for a file whose content is given."""


class Request(BaseHTTPRequestHandler):
    """One request."""

    server: "Server"

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        content = self.server.files.get(name)
        if content is None:
            self.send_error(404)
            return
        self.server.requests.append(name)
        answer = self.server.answers.popleft() if self.server.answers else whole
        answer(self, content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def start(self, size: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()


class Server(ThreadingHTTPServer):
    """What the repository has, what it was asked for, and how it answers next."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.files: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.answers: deque[Answer] = deque()

    @property
    def remotes(self) -> dict[str, str]:
        """What a `Store` takes as its repositories."""
        return {"test": f"http://127.0.0.1:{self.server_port}"}

    def add(self, name: str, content: bytes) -> Artifact:
        """Publish a file; return it as the project would pin it."""
        self.files[f"{name}-1.0.jar"] = content
        return Artifact("org.example", name, "1.0", "jar", len(content), hashlib.sha256(content).hexdigest())


@contextmanager
def repository() -> Iterator[Server]:
    """Serve until the context ends."""
    with Server() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def whole(request: Request, content: bytes) -> None:
    """Send the file as it is."""
    request.start(len(content))
    request.wfile.write(content)


def corrupt(request: Request, content: bytes) -> None:
    """Send as many bytes, one of them wrong."""
    request.start(len(content))
    request.wfile.write(bytes([content[0] ^ 1]) + content[1:])


def cut_off(request: Request, content: bytes) -> None:
    """Break the connection in the middle."""
    request.start(len(content))
    request.wfile.write(content[: len(content) // 2])
    request.close_connection = True


def short(request: Request, content: bytes) -> None:
    """Send half of the file and call it all, as a bad proxy does."""
    request.start(len(content) // 2)
    request.wfile.write(content[: len(content) // 2])


def unavailable(request: Request, _content: bytes) -> None:
    """Be overloaded."""
    request.send_error(503)
