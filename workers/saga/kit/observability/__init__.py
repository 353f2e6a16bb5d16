"""What a worker shows of itself: log lines, metrics, and its health over HTTP."""
