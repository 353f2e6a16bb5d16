"""A request with a field that the engine does not know is refused: it may change what happens."""

from typing import TYPE_CHECKING, TypeVar

import grpc
import pytest
from google.protobuf.message import Message
from pyzeebe.proto import gateway_pb2 as pb

from saga.engine.gateway.unknown import unknown_field

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub


Kind = TypeVar("Kind", bound=Message)


def varint(number: int) -> bytes:
    """Encode a field of this number (up to 15) with the value 1."""
    return bytes([number << 3, 1])


def with_field(message: Kind, number: int) -> Kind:
    return type(message).FromString(message.SerializeToString() + varint(number))


async def test_a_request_with_an_unknown_field_is_refused_by_name(gateway: "GatewayAsyncStub") -> None:
    request = with_field(pb.CompleteJobRequest(jobKey=1), 9)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await gateway.CompleteJob(request)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "CompleteJobRequest.9" in (refused.value.details() or "")


async def test_a_stream_with_an_unknown_field_is_refused(gateway: "GatewayAsyncStub") -> None:
    request = with_field(pb.StreamActivatedJobsRequest(type="x", timeout=1), 12)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        [_ async for _ in gateway.StreamActivatedJobs(request)]
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_the_tenant_filter_of_newer_clients_is_accepted(gateway: "GatewayAsyncStub", job_type: str) -> None:
    request = with_field(
        pb.ActivateJobsRequest(
            type=job_type, timeout=1, maxJobsToActivate=1, requestTimeout=-1, tenantIds=["<default>"]
        ),
        8,
    )
    assert [batch async for batch in gateway.ActivateJobs(request)] == []


def test_fields_are_looked_for_in_messages_inside_of_messages() -> None:
    variable = with_field(pb.ModifyProcessInstanceRequest.VariableInstruction(variables="{}"), 7)
    request = pb.ModifyProcessInstanceRequest(
        activateInstructions=[
            pb.ModifyProcessInstanceRequest.ActivateInstruction(elementId="a", variableInstructions=[variable])
        ]
    )
    assert unknown_field(request) == "VariableInstruction.7"
    inner = with_field(pb.CreateProcessInstanceRequest(bpmnProcessId="a"), 8)
    assert unknown_field(pb.CreateProcessInstanceWithResultRequest(request=inner)) == "CreateProcessInstanceRequest.8"


def test_a_request_without_unknown_fields_has_none() -> None:
    request = pb.DeployResourceRequest(resources=[pb.Resource(name="a", content=b"b")])
    assert unknown_field(request) is None
