"""The history of this library's own tables."""
