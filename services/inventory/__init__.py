"""The inventory service: it holds the ordered items."""

PORT = 8102
