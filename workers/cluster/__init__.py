"""The embedded stack: a real Camunda, OpenSearch and PostgreSQL on a bare machine, supervised as one."""
