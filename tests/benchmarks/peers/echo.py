"""The floor of every engine in Python: a bare gRPC server that answers CompleteJob at once, and keeps nothing.

Argument: the port. It says "ready" once it listens, and ends with its standard input.
"""

import asyncio
import sys

import grpc
import uvloop
from pyzeebe.proto.gateway_pb2 import CompleteJobRequest, CompleteJobResponse
from pyzeebe.proto.gateway_pb2_grpc import GatewayServicer, add_GatewayServicer_to_server


class _Echo(GatewayServicer):
    async def CompleteJob(  # noqa: N802 - gateway.proto names the call
        self,
        _request: CompleteJobRequest,
        _context: "grpc.aio.ServicerContext[CompleteJobRequest, CompleteJobResponse]",
    ) -> CompleteJobResponse:
        return CompleteJobResponse()


async def _main(port: int) -> None:
    server = grpc.aio.server()
    add_GatewayServicer_to_server(_Echo(), server)  # type: ignore[abstract]  # the other calls are never made
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1])))
