"""What the suite asks of the engine as a client: deploy a process, start its instances."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import stamina
from pyzeebe import ZeebeClient
from pyzeebe.errors import (
    MessageAlreadyExistsError,
    ProcessDefinitionNotFoundError,
    ProcessInvalidError,
    ProcessTimeoutError,
    UnknownGrpcStatusCodeError,
    ZeebeBackPressureError,
    ZeebeDeadlineExceeded,
    ZeebeGatewayUnavailableError,
    ZeebeInternalError,
)
from pyzeebe.grpc_internals.types import DeployResourceResponse

from saga.clients.addresses import Addresses
from saga.clients.failure import Failure, bad_input
from saga.clients.gateway import MESSAGE_TTL_MS, Ended, NotDeployed, channel, require_deployed
from saga.common.project import BPMN
from saga.kit.definition.saga import SagaDefinition
from saga.kit.gateway.connection import proxy_hint_of, stub
from saga.kit.gateway.credentials import why_no_token

_WAIT_SECONDS = 600


@asynccontextmanager
async def engine(addresses: Addresses) -> AsyncIterator[ZeebeClient]:
    """Open the engine's client API; what it cannot do becomes a `Failure` that says where it was looked for."""
    opened = channel(addresses)
    try:
        yield ZeebeClient(opened)
    except (ZeebeGatewayUnavailableError, ZeebeDeadlineExceeded) as error:
        if why := why_no_token(error.grpc_error):
            message = f"There is no token for the engine: {why}. Look at CAMUNDA_OAUTH_URL, client id and secret."
        else:
            where = addresses.engine.address
            hint = proxy_hint_of(addresses.engine)
            message = f"The engine at {where} does not answer. Start it with `saga up`, or set ZEEBE_ADDRESS.{hint}"
        raise Failure(message) from error
    except (UnknownGrpcStatusCodeError, ZeebeInternalError) as error:
        code = error.grpc_error.code().name
        where = addresses.engine.address
        message = f"The engine at {where} answers {code}. Is it this engine, and are the credentials right?"
        raise Failure(message) from error
    finally:
        await opened.close()


def resources() -> list[Path]:
    """Return what the project deploys: its diagrams, and the forms that they link to."""
    return sorted([*BPMN.glob("*.bpmn"), *BPMN.glob("*.form")])


async def deploy(addresses: Addresses, files: list[Path]) -> list[str]:
    """Deploy diagrams and forms together and say what was deployed, a line each.

    Raises:
        Failure: A file is missing, the engine refuses one, or it cannot be reached.
    """
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        message = f"There is no file {', '.join(missing)}."
        raise bad_input(message)
    async with engine(addresses) as client:
        try:
            response = await client.deploy_resource(*files)
        except ProcessInvalidError as error:
            reason = error.__cause__.details() if isinstance(error.__cause__, grpc.aio.AioRpcError) else error
            message = f"The engine refuses a file; nothing was deployed.\n{reason}"
            raise bad_input(message) from error
        except ZeebeBackPressureError as error:
            size = sum(file.stat().st_size for file in files)
            reason = error.grpc_error.details()
            message = f"The engine does not take these {size:,} bytes; nothing was deployed. It says: {reason}"
            raise Failure(message) from error
    return list(_lines(response))


def _lines(response: DeployResourceResponse) -> Iterator[str]:
    for deployed in response.deployments:
        match deployed:
            case DeployResourceResponse.ProcessMetadata(name, version, key):
                yield f"{name} version {version} (process definition {key})"
            case DeployResourceResponse.FormMetadata(name, version, key):
                yield f"{name} version {version} (form {key})"


async def create(
    client: ZeebeClient, process: str, variables: Mapping[str, Any], *, wait: bool
) -> tuple[int, Ended | None]:
    """Create an instance of a process; return its key and, with `wait`, how it ended.

    Raises:
        Failure: The process is not deployed, or the instance did not end in time.
    """
    try:
        # A broker that pushes back has not taken the command up, so asking again cannot start a second instance.
        async for attempt in stamina.retry_context(
            on=ZeebeBackPressureError, attempts=None, timeout=30.0, wait_initial=0.02, wait_max=1.0
        ):
            with attempt:
                if not wait:
                    return (await client.run_process(process, variables)).process_instance_key, None
                ended = await client.run_process_with_result(process, variables, timeout=_WAIT_SECONDS * 1000)
                return ended.process_instance_key, Ended.model_validate(ended.variables)
    except ProcessDefinitionNotFoundError as error:
        raise NotDeployed(process) from error
    except ProcessTimeoutError as error:
        message = (
            f"The instance was started but has not ended within {_WAIT_SECONDS} seconds; `saga incidents` says whether "
            "it stands still."
        )
        raise Failure(message) from error
    except ZeebeBackPressureError as error:
        message = "The broker has been too busy for 30 seconds; nothing was started. Try again later."
        raise Failure(message) from error
    raise AssertionError  # stamina returns or raises


async def place(addresses: Addresses, saga: SagaDefinition, saga_id: str, variables: Mapping[str, Any]) -> None:
    """Publish the message that starts a saga; its id is the message's, so that a second one within an hour is refused.

    Raises:
        Failure: No message starts this process, the process is not deployed, the message was published before, or the
            engine does not answer.
    """
    if saga.start_message is None:
        message = f"No message starts the process {saga.process}; leave --message out. Nothing was started."
        raise bad_input(message)
    async with engine(addresses) as client, channel(addresses) as opened:
        with suppress(grpc.aio.AioRpcError):  # The message's own call says what is wrong.
            await require_deployed(stub(opened), saga.process)
        await _publish(client, saga.start_message, saga_id, variables, saga.noun)


async def _publish(client: ZeebeClient, name: str, saga_id: str, variables: Mapping[str, Any], noun: str) -> None:
    try:
        await client.publish_message(
            name,
            correlation_key=saga_id,
            variables=variables,
            time_to_live_in_milliseconds=MESSAGE_TTL_MS,
            message_id=saga_id,
        )
    except MessageAlreadyExistsError as error:
        named = f"{noun.capitalize()} {saga_id}"
        message = f"{named} was placed before; its message is still there, and nothing more was started."
        raise Failure(message) from error
