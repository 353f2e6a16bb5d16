"""Zeebe's gRPC gateway: it checks a request's shape, turns it into a command for the writer, and its answer back."""

from .server import GatewayServer

__all__ = ["GatewayServer"]
