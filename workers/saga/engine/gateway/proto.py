"""The gateway's messages and servicer, of pyzeebe."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType


@contextmanager
def _package_without_init(name: str) -> Iterator[None]:
    """Let modules of a package be imported without running its `__init__`.

    That of pyzeebe imports its whole client, with requests and oauthlib: measured 0.1 s and 12 MB. Code that imports
    the package afterwards gets the real one. `saga.common.imports` has the same: the engine imports nothing of it.
    """
    spec = None if name in sys.modules else find_spec(name)
    if spec is None:
        yield
        return
    stand_in = ModuleType(name)
    stand_in.__path__ = list(spec.submodule_search_locations or ())
    sys.modules[name] = stand_in
    try:
        yield
    finally:
        del sys.modules[name]


with _package_without_init("pyzeebe"):
    from pyzeebe.proto import gateway_pb2 as pb
    from pyzeebe.proto.gateway_pb2_grpc import GatewayServicer, add_GatewayServicer_to_server

__all__ = ["GatewayServicer", "add_GatewayServicer_to_server", "pb"]
