"""What the fake card processor reads from its environment."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings


class ProcessorSettings(BaseSettings):
    """`PROCESSOR_LATENCY`."""

    processor_latency: Annotated[float, Field(ge=0, le=60)] = 0.0
    """Seconds that each call takes longer than it would: a real processor needs about one."""
