"""The history of the kit's own tables."""
