"""The gateway's messages and stub, from pyzeebe."""

from saga.common.imports import package_without_init

# pyzeebe's own __init__ imports its whole client, with requests and oauthlib: 0.1 s and 12 MB. Other modules can import
# pyzeebe's parts by their own names once this has run.
with package_without_init("pyzeebe"):
    from pyzeebe.proto import gateway_pb2 as pb
    from pyzeebe.proto.gateway_pb2_grpc import GatewayStub

__all__ = ["GatewayStub", "pb"]
