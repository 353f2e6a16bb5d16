"""The search tables: made from records, asked by REST. They hold nothing that the log has never held."""

from .history import forget
from .project import write
from .reader import Reader
from .replica import Replica
from .schema import SCHEMA

__all__ = ["SCHEMA", "Reader", "Replica", "forget", "write"]
