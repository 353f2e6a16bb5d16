"""What the participants did for an order, as the orders service tells it."""

from datetime import datetime

import httpx
from pydantic import BaseModel, TypeAdapter

from services.kit.tokens import TokenMissingError, Tokens
from workers.failure import Failure
from workers.kit.service import problem_of


class Happening(BaseModel, extra="ignore"):
    """One thing that a participant did for an order."""

    time: datetime
    type: str

    @property
    def what(self) -> tuple[str, str]:
        """The participant, and what it did."""
        service, _, done = self.type.removeprefix("saga.").partition(".")
        return service, done.replace(".", " ")


_TIMELINE = TypeAdapter(list[Happening])


async def happened(orders: str, tokens: Tokens, order: str) -> list[Happening]:
    """Ask the orders service at `orders` what the participants did for an order, the first first.

    Raises:
        Failure: It does not say.
    """
    try:
        headers = tokens.authorization("read")
        async with httpx.AsyncClient(base_url=orders, timeout=10.0) as http:
            answer = await http.get(f"/orders/{order}/events", headers=headers)
    except TokenMissingError as error:
        raise Failure(str(error)) from None
    except httpx.TransportError as error:
        message = f"The orders service at {orders} does not answer ({type(error).__name__})."
        raise Failure(message) from error
    if not answer.is_success:
        problem = problem_of(answer)
        said = f" {problem.code}" if problem else ""
        message = f"The orders service at {orders} answers {answer.status_code}{said}."
        raise Failure(message)
    return _TIMELINE.validate_python(answer.json()["events"])
