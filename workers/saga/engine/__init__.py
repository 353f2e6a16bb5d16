"""The embedded engine: one process that serves Zeebe's gRPC and REST APIs, durable in one SQLite file."""
