"""The tools of day two: reconcile, incidents, compensate, purge and user tasks, on the clients and the kit alone."""
