"""Commands and environment names of our containers against the code that reads them."""

from collections.abc import Iterator

import pytest
import typer.main
from pydantic import AliasChoices
from pydantic_settings import BaseSettings

import services
from saga.cli import app
from saga.clients.addresses import Addresses
from saga.clients.rest import BasicAuthSettings
from saga.common.tokens import Tokens
from saga.kit.settings import EngineSettings, WorkerSettings
from saga.operations.reconcile.watch import ReconcilerSettings
from saga.stack.tokens import callers
from services.card_processor.settings import ProcessorSettings
from services.participant.auth import Callers, callers_of
from services.participant.server import router_of
from services.participant.settings import RoleSettings, ServiceSettings
from services.payment.settings import CardProcessorSettings
from tests.compose.composefile import ComposeFile

_PARTICIPANTS = sorted(set(services.PORTS) - {"card_processor"})
_ADDRESSES = {f"{name.upper()}_URL" for name in services.PORTS}
_OWN: dict[str, type[BaseSettings]] = {"payment": CardProcessorSettings, "card_processor": ProcessorSettings}
"""What a service reads beside what every service reads."""
_TOKENS = {f"TOKEN_{caller.replace('-', '_').upper()}": caller for caller in callers()}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    read = (EngineSettings, WorkerSettings, ReconcilerSettings)
    for name in {"PORT", "HOST", "EVENTS_URL"} | _ADDRESSES | {name for each in read for name in _names(each)}:
        monkeypatch.delenv(name, raising=False)


def test_every_command_of_our_containers_is_one_that_saga_takes(compose: ComposeFile) -> None:
    saga = typer.main.get_command(app)
    for service in compose.ours.values():
        with saga.make_context("saga", list(service.command)) as context:
            name, command, arguments = saga.resolve_command(context, service.command)  # type: ignore[attr-defined]
            command.make_context(name, arguments, parent=context).close()


def test_each_service_has_a_container_of_its_own_name(compose: ComposeFile) -> None:
    commands = {name: service.command for name, service in compose.ours.items() if service.command[0] == "services"}
    assert commands == {_container(name): ["services", name] for name in services.PORTS}


@pytest.mark.parametrize("name", services.PORTS)
def test_a_service_s_container_names_only_what_its_settings_read(name: str, compose: ComposeFile) -> None:
    known = {*_TOKENS, *_names(ServiceSettings), *(f"{name}_{field}".upper() for field in RoleSettings.model_fields)}
    known |= set(_names(_OWN[name])) if name in _OWN else set()
    assert set(compose.services[_container(name)].environment) - known == set()


@pytest.mark.parametrize("name", ["workers", "reconciler"])
def test_a_container_of_jobs_names_only_what_its_settings_read(name: str, compose: ComposeFile) -> None:
    own = {
        "workers": {*_names(WorkerSettings), "RECONCILER_URL"},
        "reconciler": {*_names(ReconcilerSettings), *_names(BasicAuthSettings), "CAMUNDA_REST_ADDRESS"},
    }
    participants = (f"{participant.upper()}_URL" for participant in _PARTICIPANTS)
    known = {*_TOKENS, *_names(EngineSettings), *participants, *own[name]}
    assert set(compose.services[name].environment) - known == set()


@pytest.mark.parametrize("name", services.PORTS)
def test_a_participant_s_container_has_a_token_for_each_of_its_callers(name: str, compose: ComposeFile) -> None:
    tokens = Tokens(compose.services[_container(name)].environment)
    assert Callers(callers_of(router_of(name)), tokens).without_token() == []


def test_the_workers_send_the_tokens_that_the_participants_know_and_no_two_are_the_same(compose: ComposeFile) -> None:
    containers = [compose.services[_container(name)].environment for name in (*services.PORTS, "workers", "reconciler")]
    seen = {frozenset((name, each.get(name)) for name in _TOKENS) for each in containers}
    assert len(seen) == 1
    values = [value for _, value in next(iter(seen))]
    assert None not in values
    assert len(set(values)) == len(_TOKENS)


def test_the_deploy_container_names_only_what_its_settings_read(compose: ComposeFile) -> None:
    assert set(compose.services["deploy"].environment) - set(_names(EngineSettings)) == set()


@pytest.mark.parametrize("name", services.PORTS)
def test_a_service_listens_where_its_port_is_published(
    name: str, compose: ComposeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = compose.services[_container(name)]
    _take(monkeypatch, container.environment)
    settings = ServiceSettings()
    assert settings.host == "0.0.0.0"  # noqa: S104 - inside a container
    assert settings.port == services.PORTS[name]
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == _database(compose)
    assert [port.rpartition(":")[2] for port in container.ports] == [str(settings.port)]


@pytest.mark.parametrize("name", _PARTICIPANTS)
def test_the_workers_look_where_a_participant_listens(
    name: str, compose: ComposeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    _take(monkeypatch, compose.services["workers"].environment)
    assert Addresses.of(0).services[name] == f"http://{_container(name)}:{services.PORTS[name]}"


def test_payment_looks_where_the_card_processor_listens(compose: ComposeFile, monkeypatch: pytest.MonkeyPatch) -> None:
    _take(monkeypatch, compose.services["payment"].environment)
    port = services.PORTS["card_processor"]
    assert str(CardProcessorSettings().card_processor_url) == f"http://{_container('card_processor')}:{port}/"


@pytest.mark.parametrize("name", services.PORTS)
def test_a_participant_delivers_its_events_to_the_orders_service(
    name: str, compose: ComposeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    _take(monkeypatch, compose.services[_container(name)].environment)
    assert str(ServiceSettings().events_url) == f"http://orders:{services.PORTS['orders']}/events"


@pytest.mark.parametrize("name", ["deploy", "workers", "reconciler"])
def test_the_engine_is_looked_for_in_its_container_without_tls(
    name: str, compose: ComposeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    _take(monkeypatch, compose.services[name].environment)
    engine = Addresses.of(0).engine
    assert engine.address == "engine:26500"
    assert engine.insecure is True


def test_the_workers_tell_their_doubts_where_the_reconciler_listens(
    compose: ComposeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    _take(monkeypatch, compose.services["reconciler"].environment)
    settings = ReconcilerSettings()
    assert settings.host == "0.0.0.0"  # noqa: S104 - inside a container
    assert compose.services["workers"].environment["RECONCILER_URL"] == f"http://reconciler:{settings.port}"


def test_the_workers_health_answers_outside_the_container(
    compose: ComposeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = compose.services["workers"]
    _take(monkeypatch, container.environment)
    settings = WorkerSettings()
    assert settings.host == "0.0.0.0"  # noqa: S104 - inside a container
    assert [port.rpartition(":")[2] for port in container.ports] == [str(settings.port)]


def _container(name: str) -> str:
    """The container of a service: a host's name has no underscore."""
    return name.replace("_", "-")


def _database(compose: ComposeFile) -> str:
    password = compose.services["postgres"].environment["POSTGRES_PASSWORD"]
    return f"postgresql://postgres:{password}@postgres:5432/postgres"


def _take(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def _names(settings: type[BaseSettings]) -> Iterator[str]:
    """The environment names that a settings class reads."""
    for name, field in settings.model_fields.items():
        match field.validation_alias:
            case AliasChoices() as alias:
                yield from (choice for choice in alias.choices if isinstance(choice, str))
            case str() as alias:
                yield alias
            case _:
                yield (settings.model_config.get("env_prefix", "") + name).upper()
