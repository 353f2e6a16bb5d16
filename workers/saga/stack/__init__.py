"""The embedded stack: our engine, a real PostgreSQL, participants and workers on a bare machine, supervised as one."""
