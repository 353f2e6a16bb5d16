"""A database that cannot be connected to: each cause has a message of its own, with what to do."""

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from services.participant.connect_failure import why_not_connected
from services.participant.database import DatabaseTimeouts, connect
from services.participant.provisioning import StartError, provision, require_current
from tests.services.postgres import Postgres

_SSL_REQUEST = 8
"""Bytes of the message with which a client asks for TLS."""


@asynccontextmanager
async def server_with_tls(authority: trustme.CA, name: str) -> AsyncIterator[int]:
    """Serve PostgreSQL's first message and TLS, and no more; yield the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readexactly(_SSL_REQUEST)
            writer.write(b"S")
            await writer.start_tls(context)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def said(url: str) -> str:
    """Return why a service does not start with this database; it is the same with a role of its own."""
    with pytest.raises(StartError) as failed:
        await provision("orders", url)
    with pytest.raises(StartError) as as_role:
        await require_current("orders", url)
    assert str(as_role.value) == str(failed.value)
    assert "hunter2" not in str(failed.value)
    return str(failed.value)


async def test_a_server_without_tls(postgres: Postgres) -> None:
    assert "offers no TLS" in await said(f"{postgres.url()}?sslmode=require")


async def test_a_certificate_that_nobody_trusts(tmp_path: Path) -> None:
    root = tmp_path / "root.crt"
    trustme.CA().cert_pem.write_to_path(root)
    async with server_with_tls(trustme.CA(), "127.0.0.1") as port:
        url = f"postgresql://u:hunter2@127.0.0.1:{port}/db?sslmode=verify-ca&sslrootcert={root}"
        assert "certificate of the database" in await said(url)


async def test_a_certificate_of_another_host(tmp_path: Path) -> None:
    root, authority = tmp_path / "root.crt", trustme.CA()
    authority.cert_pem.write_to_path(root)
    async with server_with_tls(authority, "db.example") as port:
        url = f"postgresql://u:hunter2@127.0.0.1:{port}/db?sslmode=verify-full&sslrootcert={root}"
        assert "IP address mismatch" in await said(url)


async def test_what_answers_is_no_tls() -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(_SSL_REQUEST)
        writer.write(b"S")
        await reader.read(1)  # TLS begins
        writer.write(b"no TLS record")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        text = await said(f"postgresql://u:hunter2@127.0.0.1:{port}/db?sslmode=require")
    assert "TLS with the database at 127.0.0.1" in text


@pytest.mark.parametrize("given", [False, True], ids=["default", "named"])
async def test_a_missing_root_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, given: bool) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    url = "postgresql://u:hunter2@127.0.0.1:1/db?sslmode=verify-full"
    text = await said(f"{url}&sslrootcert={tmp_path}/none.crt" if given else url)
    assert "sslrootcert" in text
    assert "No database answers" not in text


async def test_a_setting_that_does_not_exist() -> None:
    assert "`sslmode` parameter must be one of" in await said("postgresql://u:hunter2@127.0.0.1:1/db?sslmode=sure")


async def test_nobody_listens() -> None:
    assert "Start PostgreSQL there" in await said("postgresql://u:hunter2@127.0.0.1:1/db")
    assert "Start PostgreSQL there" in await said("postgresql://u:hunter2@localhost:1/db")


def test_nobody_listens_at_any_of_several_addresses() -> None:
    """asyncio makes one error of them, which has no number."""
    each = [f"[Errno {errno.ECONNREFUSED}] Connect call failed ('{address}', 1)" for address in ("::1", "127.0.0.1")]
    error = OSError(f"Multiple exceptions: {', '.join(each)}")
    assert "Start PostgreSQL there" in why_not_connected("postgresql://u:hunter2@localhost:1/db", error)


async def test_a_host_that_is_not_known() -> None:
    assert "The name db.invalid of the database is not known" in await said("postgresql://u:hunter2@db.invalid/db")


async def test_a_server_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://u:hunter2@127.0.0.1:{silent.getsockname()[1]}/db"
        with pytest.raises(TimeoutError) as failed:
            await connect(url, "orders", timeouts=DatabaseTimeouts(connect=0.2))
    assert "in time" in why_not_connected(url, failed.value)
