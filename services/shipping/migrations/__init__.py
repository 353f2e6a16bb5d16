"""The history of the shipping service's tables."""
