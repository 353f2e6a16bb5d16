"""Incidents: found, explained, and retried at the engine until they are gone."""
