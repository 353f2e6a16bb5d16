"""The steps: one file each, the do and its undo side by side, found by their task type."""
