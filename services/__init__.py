"""The participants: four HTTP services on PostgreSQL that an orchestrator commands."""
