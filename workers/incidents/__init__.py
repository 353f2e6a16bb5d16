"""Incidents: found in Operate, explained, and retried at the engine until they are gone."""
