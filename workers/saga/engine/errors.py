"""Why a request gets no answer from the core, and why an engine does not start."""


class Busy(Exception):
    """Too many requests wait already (gRPC RESOURCE_EXHAUSTED, HTTP 503)."""

    def __init__(self, what: str) -> None:
        """Say it in the words that clients know; `what` is what the engine has no room for, and why."""
        super().__init__(f"Expected to {what}. Please try again later.")


class Stopping(Exception):
    """The engine is shutting down (gRPC UNAVAILABLE, HTTP 503)."""

    def __init__(self) -> None:
        """Say what a client should do."""
        super().__init__("The engine is shutting down. Please try again later.")


class Overdue(Exception):
    """No result within the request's timeout; the instance goes on (gRPC DEADLINE_EXCEEDED, HTTP 504)."""

    def __init__(self, milliseconds: int) -> None:
        """Name the timeout in milliseconds."""
        super().__init__(f"Time out between gateway and engine: no result within {milliseconds} ms")


class CommandError(Exception):
    """`saga engine` or a subcommand cannot do it; the message says what is wrong and what to do."""


class CannotStart(CommandError):
    """The engine does not start."""


class PortTaken(CannotStart):
    """A port cannot be listened on."""

    def __init__(self, host: str, port: int) -> None:
        """Name the port."""
        super().__init__(f"Port {port} of {host} cannot be used: it is taken, or the address is not this machine's.")
