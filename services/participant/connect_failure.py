"""Says why a connection to PostgreSQL did not come about, and what to do: each cause by its name."""

import errno
import socket
import ssl

import asyncpg
from sqlalchemy import make_url

_TLS_FILES = "sslrootcert, sslcert and sslkey in DATABASE_URL, or PGSSLROOTCERT and so on"


def why_not_connected(url: str, error: OSError | asyncpg.ClientConfigurationError) -> str:
    """Return one or two sentences without a secret; `error` is what `asyncpg.connect(url)` raised."""
    parts = make_url(url)
    host = parts.host or "the local socket"
    where = f"{host}:{parts.port or 5432}"
    match error:
        case asyncpg.ClientConfigurationError():
            why = f"The settings for the database at {where} are wrong: {error}. Look at {_TLS_FILES}."
        case ssl.SSLCertVerificationError():
            why = (
                f"The certificate of the database at {where} is not accepted: {error.verify_message}. Name the root "
                "certificate that signed it with sslrootcert in DATABASE_URL, and the host by the certificate's name."
            )
        case ssl.SSLError():
            why = f"TLS with the database at {where} fails: {error.reason or error}. Look at {_TLS_FILES}."
        case socket.gaierror():
            why = f"The name {host} of the database is not known. Correct the host in DATABASE_URL."
        case FileNotFoundError() | PermissionError() if parts.host:
            why = f"A certificate file for the database at {where} cannot be read. Look at {_TLS_FILES}."
        case TimeoutError():
            why = f"No database answers at {where} in time: a firewall may drop what is sent, or the host is off."
        case _ if "rejected SSL upgrade" in str(error):  # asyncpg has no class for it
            why = f"The database at {where} offers no TLS. Turn it on there, or take sslmode out of DATABASE_URL."
        case _ if _is_refused(error):
            why = f"No database answers at {where}. Start PostgreSQL there, or set DATABASE_URL."
        case _:
            why = f"The database at {where} cannot be reached: {error.strerror or error or type(error).__name__}."
    return why


def _is_refused(error: OSError) -> bool:
    """Tell whether nobody listens there; asyncio tells of several addresses in one error's text."""
    return error.errno == errno.ECONNREFUSED or f"[Errno {errno.ECONNREFUSED}]" in str(error)
