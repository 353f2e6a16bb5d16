"""A proxy in front of a participant that can hold a reply back: "applied, but the caller does not know".

It can hold a request back as well: a command that is on its way, and late.

No signal and no firewall rule gives that moment on demand; everything behind the proxy is the real service.
"""

import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import anyio
import anyio.to_thread
import httpx
import uvicorn

from tests.asgi import Message, body_of
from tests.stack import free_port

_HOP_BY_HOP = {b"connection", b"transfer-encoding", b"keep-alive", b"content-length", b"date", b"server"}
_TLS = ssl.create_default_context()
"""Never used, and made once: to make one takes longer than a whole request."""
_AWAY = "a test says that the participant is away"
_BOUND = 120.0
"""Seconds after which anything held goes on, so that a broken test ends."""


class HeldReply:
    """A reply that the participant has given and the caller has not got."""

    def __init__(self, method: str, path: str, *, lost: bool = False, repeated: bool = False) -> None:
        self.method = method
        self.path = path
        self.lost = lost
        self.repeated = repeated
        self.applied = threading.Event()
        self.released = threading.Event()

    def wait_until_applied(self) -> None:
        assert self.applied.wait(_BOUND), f"{self.method} {self.path} never came"

    def release(self) -> None:
        self.released.set()


class HeldRequest:
    """A request that the caller has sent and the participant has not got."""

    def __init__(self, method: str, path: str) -> None:
        self.method = method
        self.path = path
        self.came = threading.Event()
        self.released = threading.Event()
        self._answered = threading.Event()
        self._status = 0

    def wait_until_it_came(self) -> None:
        assert self.came.wait(_BOUND), f"{self.method} {self.path} never came"

    def release(self) -> int:
        """Let the participant have it; return the status that it answers with."""
        self.released.set()
        assert self._answered.wait(_BOUND), f"{self.method} {self.path} was not answered"
        return self._status

    def answer(self, status: int) -> None:
        self._status = status
        self._answered.set()


@contextmanager
def proxy_before(target: str) -> Iterator["HoldingProxy"]:
    """Run a proxy on a free port in front of `target`."""
    proxy = HoldingProxy(free_port())
    proxy.start(target)
    try:
        yield proxy
    finally:
        proxy.stop()


class HoldingProxy:
    """Forward every request to the participant; hold the replies that a test asks for."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._target = ""
        self._held: list[HeldReply] = []
        self._late: list[HeldRequest] = []
        self._seen: list[tuple[str, str]] = []
        self._away: set[tuple[str, str]] = set()
        config = uvicorn.Config(
            self._serve, "127.0.0.1", port, interface="asgi3", lifespan="off", log_config=None, access_log=False
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def start(self, target: str) -> None:
        self._target = target
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(10)

    def keys(self, path: str) -> list[str]:
        """Return the idempotency keys of the requests to `path`, in the order of their arrival."""
        return [key for seen, key in self._seen if seen == path]

    def lose_reply(self, method: str, path: str) -> "AbstractContextManager[HeldReply]":
        """Answer 502 in place of the next reply to this request."""
        return self._catch(HeldReply(method, path, lost=True))

    def hold_reply(self, method: str, path: str) -> "AbstractContextManager[HeldReply]":
        """Hold the next reply to this request; whatever happens, it is released in the end."""
        return self._catch(HeldReply(method, path))

    def hold_replies(self, method: str, path: str) -> "AbstractContextManager[HeldReply]":
        """Hold each reply to this request until the release: its caller asks again when it has waited for long."""
        return self._catch(HeldReply(method, path, repeated=True))

    @contextmanager
    def hold_request(self, method: str, path: str) -> Iterator[HeldRequest]:
        """Hold such requests back from the participant until the release, which comes in the end at the latest."""
        late = HeldRequest(method, path)
        self._late.append(late)
        try:
            yield late
        finally:
            late.released.set()
            self._late.remove(late)

    @contextmanager
    def turning_away(self, method: str, path: str) -> Iterator[None]:
        """Answer 502 to this request, and forward none: the participant is away, for it."""
        self._away.add((method, path))
        try:
            yield
        finally:
            self._away.remove((method, path))

    @contextmanager
    def _catch(self, held: HeldReply) -> Iterator[HeldReply]:
        self._held.append(held)
        try:
            yield held
        finally:
            held.release()
            if held in self._held:
                self._held.remove(held)

    async def _serve(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        body = await body_of(receive)
        headers = [(name, value) for name, value in scope["headers"] if name not in {b"host", b"connection"}]
        self._seen.append((scope["path"], dict(scope["headers"]).get(b"idempotency-key", b"").decode()))
        late = [each for each in self._late if (each.method, each.path) == (scope["method"], scope["path"])]
        for each in late:
            each.came.set()
            await anyio.to_thread.run_sync(each.released.wait, _BOUND)
        try:
            if (scope["method"], scope["path"]) in self._away:
                raise httpx.ConnectError(_AWAY)
            url = httpx.URL(self._target, path=scope["path"], query=scope["query_string"])
            async with httpx.AsyncClient(timeout=30.0, verify=_TLS) as http:
                reply = await http.request(scope["method"], url, content=body, headers=headers)
        except httpx.TransportError:
            reply = httpx.Response(httpx.codes.BAD_GATEWAY)  # What a mesh says of a service that is away.
        for each in late:
            each.answer(reply.status_code)
        if await self._hold(scope["method"], scope["path"]):
            reply = httpx.Response(httpx.codes.BAD_GATEWAY)
        kept = [(name.lower(), value) for name, value in reply.headers.raw if name.lower() not in _HOP_BY_HOP]
        kept.append((b"content-length", str(len(reply.content)).encode()))
        await send({"type": "http.response.start", "status": reply.status_code, "headers": kept})
        await send({"type": "http.response.body", "body": reply.content})

    async def _hold(self, method: str, path: str) -> bool:
        """Hold the reply if a test asked for it; return whether it is lost."""
        caught = [held for held in self._held if (held.method, held.path) == (method, path)]
        for held in caught:
            if not held.repeated:
                self._held.remove(held)
            held.applied.set()
            if not held.lost:
                await anyio.to_thread.run_sync(held.released.wait, _BOUND)
        return any(held.lost for held in caught)
