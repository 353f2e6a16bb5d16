"""The history of the orders service's tables."""
