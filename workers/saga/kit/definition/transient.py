"""Transient statuses of a participant: the one table, with the reason for each of them.

Only these are retried automatically. What counts is the sender of a status. A proxy, load balancer or CDN reports that
the participant was not reached, is too busy, or did not respond in time: that is transient, and because the effect of
the command is unknown, only its own key may be used again. The participant itself reports that it has a bug or that the
request is wrong: a retry would give the same status, so a person has to look at once.
"""

from typing import Final

TRANSIENT: Final = {
    408: "the request did not arrive in time (RFC 9110; our BODY_LATE; HAProxy; AWS ALB)",
    425: "too early (RFC 8470): the request came in TLS early data, which a proxy does not pass on",
    429: "too many requests (RFC 6585; our RATE_LIMITED; Envoy's and Cloudflare's rate limits)",
    502: "the proxy got no valid answer (nginx, HAProxy, AWS ALB, Google Cloud, Azure, IIS)",
    503: "the proxy has no healthy upstream, or too many requests wait (Envoy UH, UF, UO and UR; HAProxy; nginx; ALB; "
    "Fastly; Varnish), or the participant itself cannot serve now (our DATABASE_UNAVAILABLE, OVERLOADED)",
    504: "the upstream did not answer in time (Envoy UT; nginx; HAProxy; ALB; Google Cloud)",
    520: "Cloudflare: the origin reset the connection, or answered nothing that it understands",
    521: "Cloudflare: the origin refuses connections",
    522: "Cloudflare: no TCP connection to the origin in time",
    523: "Cloudflare: the origin cannot be reached",
    524: "Cloudflare: connected, and no answer within its time limit",
    525: "Cloudflare: the TLS handshake with the origin failed, as while it restarts",
    527: "Cloudflare: the connection to the origin was interrupted (Railgun)",
    529: "the service is overloaded (a convention of several hosters and APIs)",
    530: "Cloudflare: its look-up of the origin's name failed, or the site is paused",
}
"""The transient statuses."""
WITHOUT_PROBLEM: Final = 500
"""Transient only without a problem document. With one, the participant itself reports a bug. Without one, a load
balancer may have sent it: AWS ALB if a rule of its firewall fails, Google's front end if one of its own servers fails,
HAProxy and nginx if they run out of a resource.

Not transient on purpose: 501, 505, 506, 508, 510 and 511 (only a person can change them), 507 (RFC 4918: to be repeated
only on request), 526 (Cloudflare: the origin's certificate is not valid) and 561 (AWS ALB: the identity provider
refuses).
"""


def is_transient(status: int, *, is_problem: bool) -> bool:
    """Tell whether a status is transient; `is_problem` if it came with a problem document of the participant."""
    return status in TRANSIENT or (status == WITHOUT_PROBLEM and not is_problem)
