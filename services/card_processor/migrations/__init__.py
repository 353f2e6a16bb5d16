"""The history of the fake card processor's tables."""
