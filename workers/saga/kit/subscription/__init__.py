"""How a worker gets the jobs of a task type: a stream, a long poll, and a window of slots."""
