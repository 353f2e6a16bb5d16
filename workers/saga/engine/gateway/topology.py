"""Topology: one broker with one partition."""

from collections.abc import Awaitable, Callable

from ..writer import Writer
from .proto import pb

VERSION = "8.9.0"
"""The level of the protocol that is served, which clients read out of the versions."""
BROKER = "saga-engine"
"""Who this is: the broker's host, which clients show and do not connect to."""


def topology(port: int) -> Callable[[Writer, pb.TopologyRequest], Awaitable[pb.TopologyResponse]]:
    """Return the call that says what the cluster is, for a gateway on `port`."""
    partition = pb.Partition(partitionId=1, role=pb.Partition.LEADER, health=pb.Partition.HEALTHY)
    broker = pb.BrokerInfo(nodeId=0, host=BROKER, port=port, version=VERSION, partitions=[partition])
    answer = pb.TopologyResponse(
        brokers=[broker], clusterSize=1, partitionsCount=1, replicationFactor=1, gatewayVersion=VERSION
    )

    async def call(_writer: Writer, _request: pb.TopologyRequest) -> pb.TopologyResponse:
        return answer

    return call
