"""The work of every peer: an empty task that reads three variables and leaves one behind."""

FETCHED = ("order", "amount", "customer")
"""The variables that a job carries."""
RESULT = '{"done":{}}'
"""What it is completed with."""
