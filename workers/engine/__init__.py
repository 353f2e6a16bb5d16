"""The embedded engine: Zeebe-compatible, durable, one process; for development, tests and the demo."""
