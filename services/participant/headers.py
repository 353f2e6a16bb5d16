"""What a request's headers must be before anybody looks at what it asks for (RFC 9110 and 9112)."""

import re
from collections import Counter

from starlette.types import Scope

from services.participant.problems import MEDIA_TYPE_UNKNOWN, REQUEST_MALFORMED, Problem

_SINGLE = (b"host", b"authorization", b"idempotency-key", b"saga-origin", b"content-type")
"""Headers of which two would leave it to each reader which one counts."""
_JSON = re.compile(rb"application/(json|[a-z0-9.-]+\+json)")
_PLAIN = re.compile(rb"[a-z0-9.+/-]{1,100}")


def cleaned(scope: Scope) -> Scope:
    """Return the request with its header values without blanks around them, and a HEAD as the GET that it stands for.

    The server sends no body in answer to a HEAD, whatever it is given.
    """
    scope["headers"] = [(name, value.strip(b" \t")) for name, value in scope["headers"]]
    return {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope


def malformed(scope: Scope) -> Problem | None:
    """Return what is wrong with the headers of a request, None where nothing is."""
    names = Counter(name for name, _ in scope["headers"])
    if scope.get("http_version") == "1.1" and not names[b"host"]:
        return Problem(REQUEST_MALFORMED, "A request of HTTP/1.1 must have the header Host.")
    twice = [name.decode() for name in _SINGLE if names[name] > 1]
    return Problem(REQUEST_MALFORMED, f"Send {' and '.join(twice)} once.") if twice else None


def unreadable(scope: Scope) -> Problem | None:
    """Return why the body of a request is not read, None where it is: it must be JSON, and not compressed."""
    headers = dict(scope["headers"])
    coding = headers.get(b"content-encoding", b"").lower()
    if coding not in {b"", b"identity"}:
        return Problem(MEDIA_TYPE_UNKNOWN, f"Send the body without Content-Encoding{_shown(coding)}.")
    media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if _JSON.fullmatch(media_type):
        return None
    return Problem(MEDIA_TYPE_UNKNOWN, f"Send Content-Type: application/json{_shown(media_type)}.")


def _shown(value: bytes) -> str:
    return f", and not {value.decode()}" if _PLAIN.fullmatch(value) else ""
