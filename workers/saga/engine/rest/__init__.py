"""REST v2 of the engine: Camunda 8's orchestration cluster API, level 8.9."""

from .application import app

__all__ = ["app"]
