"""The history of the travel service's tables."""
