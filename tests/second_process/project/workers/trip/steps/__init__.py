"""The steps of a trip."""
