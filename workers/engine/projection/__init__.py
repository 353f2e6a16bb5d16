"""The search tables: made from records, asked by REST. They hold nothing that the log does not."""

from .project import Projection, write
from .reader import Reader
from .schema import SCHEMA

__all__ = ["SCHEMA", "Projection", "Reader", "write"]
