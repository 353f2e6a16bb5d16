"""How the jobs of a task type reach the worker: a stream, a long poll, and slots for what they bring."""
