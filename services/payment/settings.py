"""What the payment service reads from its environment."""

from pydantic import HttpUrl
from pydantic_settings import BaseSettings


class CardProcessorSettings(BaseSettings):
    """`CARD_PROCESSOR_URL`."""

    card_processor_url: HttpUrl = HttpUrl("http://127.0.0.1:8105")
    """Where the card processor is; by default the fake one of this project, at its own port."""
