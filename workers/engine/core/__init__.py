"""The engine's core: commands in, records out."""

from .records import Command, Record, Rejection

__all__ = ["Command", "Record", "Rejection"]
