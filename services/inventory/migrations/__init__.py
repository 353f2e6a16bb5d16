"""The history of the inventory service's tables."""
