"""REST v2 of the engine: Camunda 8's orchestration cluster API, level 8.9."""

from .application import app
from .call import Settings

__all__ = ["Settings", "app"]
