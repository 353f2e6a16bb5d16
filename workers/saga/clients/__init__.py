"""Clients of the cluster (gRPC and REST v2) and of the participants, and where to find them."""
