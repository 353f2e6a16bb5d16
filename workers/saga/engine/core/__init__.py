"""The engine's core: commands in, records out. It knows no clock, no file, no socket and no thread.

`Engine.process` turns a command into records; `apply` is the only writer of the state, in life and at recovery alike.
So the log is the truth, and the state can be made from it at any time.
"""

from .engine import Answer, Engine
from .records import Command, Record, Rejection

__all__ = ["Answer", "Command", "Engine", "Record", "Rejection"]
