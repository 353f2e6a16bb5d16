"""An OAuth server that is a fake, and a gateway's doorman that looks at each call's token."""

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import grpc

TOKEN = "t0ken"  # noqa: S105 - the fake's; how each of its tokens begins


class FakeClock:
    """Stands still until a test moves it, in seconds."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


class FastClock:
    """Goes ten times as fast as time does."""

    def monotonic(self) -> float:
        return 10 * time.monotonic()


class FakeTokenServer:
    """Gives out tokens as a test says, and knows which of them are good."""

    def __init__(self) -> None:
        self.clock: Callable[[], float] = time.monotonic
        self.asked: list[dict[str, str]] = []
        """The form of each request."""
        self.life = 3600.0
        """Seconds."""
        self.status = 200
        self.body: str | None = None
        """What it says in place of a token."""
        self.hangs = threading.Event()
        self.trickles = False
        self._ends: dict[str, float] = {}
        self._port = 0
        self.open()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/token"

    def open(self) -> None:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                fake.asked.append({name: value for name, (value,) in form.items()})
                while fake.hangs.is_set():
                    time.sleep(0.01)
                self.send_response(fake.status)
                body = (fake.body or fake.grant()).encode()
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                with suppress(OSError):  # nobody reads any more
                    while fake.trickles and body:
                        self.wfile.write(body[:1])
                        body = body[1:]
                        time.sleep(0.1)
                    self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """Be away: whoever wants to connect is refused."""
        self.hangs.clear()
        self._server.shutdown()
        self._server.server_close()

    def grant(self) -> str:
        token = f"{TOKEN}-{len(self._ends) + 1}"
        self._ends[f"Bearer {token}"] = self.clock() + self.life
        return json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": self.life})

    def takes(self, bearer: str) -> bool:
        return self.clock() < self._ends.get(bearer, 0.0)

    def knows_none(self) -> bool:
        return not any(self.takes(bearer) for bearer in self._ends)

    def revoke(self) -> None:
        self._ends = dict.fromkeys(self._ends, 0.0)


class Doorman(grpc.aio.ServerInterceptor):
    """Lets only those calls in whose token is good."""

    def __init__(self, tokens: FakeTokenServer) -> None:
        self._tokens = tokens

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:  # noqa: ANN401 - grpc's
        handler = await continuation(handler_call_details)
        if self._tokens.takes(dict(handler_call_details.invocation_metadata).get("authorization", "")):
            return handler

        async def refuse(_request: object, context: Any) -> None:  # noqa: ANN401 - the same
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "no")

        kind = (
            grpc.unary_stream_rpc_method_handler if handler.response_streaming else grpc.unary_unary_rpc_method_handler
        )
        return kind(refuse, handler.request_deserializer, handler.response_serializer)
