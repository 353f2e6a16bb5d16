"""Provisioning: each service gets its schema and a role that can do nothing else, however many start at once."""

import asyncio
import re
from collections.abc import AsyncIterator
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import asyncpg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

import services
from services.participant import schema
from services.participant.provisioning import StartError, provision, require_current
from tests.services.conftest import running
from tests.services.participant import HOLD, code
from tests.services.postgres import PASSWORD, Admin, Postgres

NAMES = sorted(services.PORTS)


@pytest.fixture
async def fresh(postgres: Postgres, admin: Admin) -> AsyncIterator[str]:
    """Return the administrator's URL of an empty database."""
    name = f"fresh_{uuid4().hex}"
    await admin.execute(f"CREATE DATABASE {name}")
    yield postgres.url(name)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    for service in NAMES:
        await admin.execute(f"DROP ROLE IF EXISTS {name}_{service}")


async def query(url: str, statement: str) -> list[object]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


@pytest.mark.parametrize("service", NAMES)
async def test_a_role_reads_and_writes_its_own_tables_only(role_urls: dict[str, str], service: str) -> None:
    url = role_urls[service]
    assert await query(url, f"SELECT count(*) FROM {service}.barrier")  # noqa: S608
    for other in set(NAMES) - {service}:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await query(url, f"SELECT count(*) FROM {other}.barrier")  # noqa: S608


@pytest.mark.parametrize("service", NAMES)
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE {0}.intruder (id int)",
        "CREATE TABLE public.intruder (id int)",
        "CREATE SCHEMA intruder",
        "ALTER TABLE {0}.barrier ADD COLUMN intruder int",
        "DROP TABLE {0}.outbox",
        "TRUNCATE {0}.barrier",
        "UPDATE {0}.alembic_version SET version_num = 'intruder'",
        "CREATE ROLE intruder",
        "SELECT rolpassword FROM pg_authid",
    ],
)
async def test_a_role_may_change_no_structure(role_urls: dict[str, str], service: str, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await query(role_urls[service], statement.format(service))


async def test_the_roles_passwords_differ_and_the_server_asks_for_them(role_urls: dict[str, str]) -> None:
    passwords = {urlsplit(url).password for url in role_urls.values()}
    assert len(passwords) == len(role_urls)
    assert not {PASSWORD, None} & {password and unquote(password) for password in passwords}
    url = role_urls["payment"].replace(str(urlsplit(role_urls["payment"]).password), "wrong")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await query(url, "SELECT 1")


async def test_ten_simultaneous_starts_on_an_empty_database_make_everything_once(fresh: str) -> None:
    urls = await asyncio.gather(*(provision(name, fresh) for name in NAMES for _ in range(3)))
    assert len(set(urls)) == len(NAMES)
    by_name = dict(zip([name for name in NAMES for _ in range(3)], urls, strict=True))
    assert await query(by_name["inventory"], "SELECT count(*) FROM inventory.stock") == [(4,)]
    assert await query(by_name["orders"], "SELECT count(*) FROM orders.products") == [(4,)]


async def test_a_second_start_changes_nothing(fresh: str) -> None:
    url = await provision("payment", fresh)
    rows = "SELECT xmin::text, rolname FROM pg_authid UNION SELECT xmin::text, nspname FROM pg_namespace ORDER BY 2"
    before = await query(fresh, rows)
    assert await provision("payment", fresh) == url
    assert await query(fresh, rows) == before


async def test_a_changed_administrators_password_changes_the_roles_at_the_next_start(fresh: str, admin: Admin) -> None:
    name = f"admin_{uuid4().hex}"
    await admin.execute(f"CREATE ROLE {name} SUPERUSER LOGIN PASSWORD 'one'")
    try:
        parts = urlsplit(fresh)
        before, after = (
            parts._replace(netloc=f"{name}:{password}@{parts.hostname}:{parts.port}").geturl()
            for password in ("one", "two")
        )
        old = await provision("shipping", before)
        await admin.execute(f"ALTER ROLE {name} PASSWORD 'two'")
        new = await provision("shipping", after)
        assert old != new
        assert await query(new, "SELECT count(*) FROM shipping.shipments") == [(0,)]
        with pytest.raises(asyncpg.InvalidPasswordError):
            await query(old, "SELECT 1")
    finally:
        await admin.execute(f"ALTER DATABASE {parts.path[1:]} OWNER TO postgres")
        await query(fresh, f"REASSIGN OWNED BY {name} TO postgres")
        await query(fresh, f"DROP OWNED BY {name} CASCADE")
        await admin.execute(f"DROP ROLE {name}")


async def test_no_start_rewrites_a_password_that_others_use(fresh: str, admin: Admin) -> None:
    name = f"admin_{uuid4().hex}"
    await admin.execute(f"CREATE ROLE {name} SUPERUSER LOGIN PASSWORD 'another'")
    parts = urlsplit(fresh)
    another = parts._replace(netloc=f"{name}:another@{parts.hostname}:{parts.port}").geturl()
    try:
        first = await provision("shipping", fresh)
        session = await asyncpg.connect(first)
        with pytest.raises(StartError, match=r"shipping is used by 1 sessions with another password.*same one"):
            await provision("shipping", another)
        await session.close()
        assert await query(first, "SELECT count(*) FROM shipping.shipments") == [(0,)]
        assert await provision("shipping", fresh) == first
    finally:
        await admin.execute(f"DROP ROLE {name}")


async def ahead(fresh: str, revision: str) -> None:
    """Do what a migration of a later release does: it adds, and takes nothing away."""
    connection = await asyncpg.connect(fresh)
    await connection.execute("ALTER TABLE inventory.reservations ADD COLUMN added text NOT NULL DEFAULT 'later'")
    statement = "UPDATE inventory.alembic_version SET version_num = $1 WHERE version_num LIKE 'inventory_%'"
    await connection.execute(statement, revision)
    await connection.close()


async def test_code_one_revision_older_than_the_schema_starts_and_works(fresh: str) -> None:
    url = await provision("inventory", fresh)
    await ahead(fresh, "inventory_0002")
    assert await provision("inventory", fresh) == url
    await require_current("inventory", url)
    async with running("inventory", url) as inventory:
        assert (await inventory.do("/reservations/4711", HOLD)).status_code == 200
        assert (await inventory.undo("/reservations/4711")).status_code == 200
        assert (await inventory.http.get("/ready")).status_code == 200


@pytest.mark.parametrize("revision", ["inventory_0003", "inventory_next"])
async def test_code_that_is_older_than_that_does_not_start_and_says_which_revisions(fresh: str, revision: str) -> None:
    url = await provision("inventory", fresh)
    await ahead(fresh, revision)
    said = rf"is at {revision}, kit_\d+, and this code is for inventory_0001, kit_\d+\. Start newer code"
    for start in (provision("inventory", fresh), require_current("inventory", url)):
        with pytest.raises(StartError, match=said):
            await start


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ALTER ROLE {role} NOLOGIN", "does not let the service in"),
        ("ALTER ROLE {role} PASSWORD 'another'", "does not let the service in"),
        ("ALTER DATABASE {database} SET default_transaction_read_only = on", "takes no writes"),
        ("REVOKE INSERT ON inventory.reservations FROM {role}", "reservations|has taken rights away"),
        ("REVOKE USAGE ON SCHEMA inventory FROM {role}", "barrier|does not see its schema"),
    ],
)
async def test_a_database_that_refuses_the_service_is_told_as_that_and_the_service_is_not_ready(
    fresh: str, change: str, said: str
) -> None:
    url, database = await provision("inventory", fresh), urlsplit(fresh).path[1:]
    async with running("inventory", url) as inventory:
        assert (await inventory.http.get("/ready")).status_code == 200
        await query(fresh, change.format(role=f"{database}_inventory", database=database))
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()"
        connection = await asyncpg.connect(fresh)
        await connection.execute(others.replace("$1", f"'{database}'"))
        await connection.close()
        await inventory.http.get("/ready")  # which notices that the connection is gone
        for answer in (await inventory.do("/reservations/4711", HOLD), await inventory.http.get("/ready")):
            assert code(answer) == (503, "DATABASE_UNAVAILABLE")
            assert re.search(said, answer.json()["detail"]), answer.text


async def test_a_statement_that_a_migration_made_stale_is_asked_for_again(fresh: str) -> None:
    async with running("inventory", await provision("inventory", fresh)) as inventory:
        assert (await inventory.http.get("/stock")).status_code == 200
        await query(fresh, "ALTER TABLE inventory.stock ALTER COLUMN on_hand TYPE numeric")
        answers = [await inventory.http.get("/stock") for _ in range(3)]
        assert {answer.status_code for answer in answers} <= {200, 503}
        assert answers[-1].status_code == 200


async def test_a_migration_that_takes_away_under_a_running_service_is_told_with_both_revisions(fresh: str) -> None:
    async with running("inventory", await provision("inventory", fresh)) as inventory:
        await ahead(fresh, "inventory_0002")
        await query(fresh, "ALTER TABLE inventory.stock RENAME COLUMN on_hand TO there")
        answer = await inventory.http.get("/stock")
        assert code(answer) == (503, "DATABASE_UNAVAILABLE")
        assert "is at inventory_0002, kit_" in answer.json()["detail"]
        assert "this code is for inventory_0001, kit_" in answer.json()["detail"]


async def test_an_unmigrated_schema_behind_a_services_own_url_is_refused_with_what_to_do(
    fresh: str, role_urls: dict[str, str]
) -> None:
    await require_current("orders", role_urls["orders"])
    with pytest.raises(StartError, match=r"orders_0003.*DATABASE_URL"):
        await require_current("orders", fresh)


async def test_an_interrupted_provisioning_leaves_nothing_half_made(fresh: str, admin: Admin) -> None:
    database = urlsplit(fresh).path[1:]
    await admin.execute(f"CREATE ROLE {database}_inventory NOLOGIN")
    # The role comes last, and here it waits for another change of it.
    holder = await asyncpg.connect(fresh)
    async with holder.transaction():
        await holder.execute(f"ALTER ROLE {database}_inventory CONNECTION LIMIT 50")
        start = asyncio.create_task(provision("inventory", fresh))
        waiting = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'"
        )
        async with asyncio.timeout(20):
            while not await admin.fetchval(waiting, database):  # noqa: ASYNC110 - PostgreSQL tells nobody who waits
                await asyncio.sleep(0.01)
        with pytest.raises(StartError):
            await start
    await holder.close()
    assert await query(fresh, "SELECT 1 FROM pg_namespace WHERE nspname = 'inventory'") == []
    await provision("inventory", fresh)


@pytest.mark.parametrize("service", NAMES)
def test_alembic_agrees_with_the_heads_that_a_start_compares(service: str) -> None:
    config = Config()
    for option, value in schema.options(service).items():
        config.set_main_option(option, value)
    assert set(ScriptDirectory.from_config(config).get_heads()) == schema.heads(service)
