"""What became of a retried incident, as the cluster shows it by and by; cluster and engine are faked."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain, repeat
from typing import TYPE_CHECKING, cast

from saga.clients.instances import ElementInstance, IncidentItem, Instances
from saga.operations.incidents.retry import IncidentRetry, Verdict
from saga.operations.incidents.search import Incident

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

OLD, NEW, ELEMENT = 30, 40, 3
INCIDENT = Incident(
    key=OLD,
    since=datetime(2026, 1, 1, tzinfo=UTC),
    type="IO_MAPPING_ERROR",
    message="no such variable",
    order=None,
    process="Sums",
    process_id="sums",
    process_version=1,
    process_definition_key=2,
    process_instance_key=1,
    element="Add",
    element_id="add",
    element_instance_key=ELEMENT,
    job_key=None,
)


class FakeInstances:
    """Shows an element at these incidents, one look after the other; None is at no incident."""

    def __init__(self, *incidents: int | None, state: str = "ACTIVE") -> None:
        self._looks: Iterator[int | None] = chain(incidents, repeat(incidents[-1]))
        self._state = state

    async def element(self, key: int) -> ElementInstance:
        at = next(self._looks)
        return ElementInstance(key=key, element_id="add", type="SERVICE_TASK", state=self._state, incident_key=at)

    async def incident(self, key: int) -> IncidentItem:
        return IncidentItem(
            key=key,
            type="JOB_NO_RETRIES",
            message="still no such variable",
            state="ACTIVE",
            creation_time=datetime(2026, 1, 1, tzinfo=UTC),
            process_definition_key=2,
            process_instance_key=1,
            element_instance_key=ELEMENT,
        )


class FakeEngine:
    """Takes every command."""

    async def ResolveIncident(self, _: object, timeout: float) -> None:  # noqa: ASYNC109, N802 - as the stub has it
        assert timeout > 0


async def became(instances: FakeInstances, *, search_lag: float = 0.3) -> tuple[Verdict, str]:
    gateway = cast("GatewayAsyncStub", FakeEngine())
    own = IncidentRetry(gateway, cast("Instances", instances), None, search_lag=search_lag)
    [outcome] = [outcome async for outcome in own.all([INCIDENT])]
    return outcome.verdict, outcome.why


async def test_one_without_a_job_is_gone_once_its_element_stays_free() -> None:
    assert await became(FakeInstances(OLD, OLD, None)) == (Verdict.RESOLVED, "")


async def test_one_that_comes_back_late_is_not_called_gone() -> None:
    """The cluster shows the old incident's end in two looks before it shows the new incident."""
    assert await became(FakeInstances(OLD, None, None, NEW)) == (Verdict.CAME_BACK, "still no such variable")


async def test_one_whose_element_has_ended_is_gone_at_once() -> None:
    assert await became(FakeInstances(OLD, state="COMPLETED"), search_lag=60.0) == (Verdict.RESOLVED, "")
