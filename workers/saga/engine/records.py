"""The committed records as the management port shows them: a line of JSON for each, with Zeebe's names.

What instances are about is hidden: of a record's value only `SHOWN` is there, unless the engine runs with `--values`.
"""

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from .admission import Room
from .core import Record
from .projection import Reader

SHOWN = frozenset(
    {
        "bpmnElementType",
        "bpmnEventType",
        "bpmnProcessId",
        "compensableActivityId",
        "compensationHandlerId",
        "deadline",
        "elementId",
        "elementInstanceKey",
        "errorType",
        "flowScopeKey",
        "interrupting",
        "jobKey",
        "jobKeys",
        "messageKey",
        "parentElementInstanceKey",
        "parentProcessInstanceKey",
        "processDefinitionKey",
        "processInstanceKey",
        "pushed",
        "recurringTime",
        "retries",
        "retryBackoff",
        "scopeKey",
        "throwEventId",
        "throwEventInstanceKey",
        "timeToLive",
        "timeout",
        "truncated",
        "type",
        "variableScopeKey",
        "version",
    }
)
"""Fields of a record's value that say what happened where: keys, ids, types and times."""
MAX_READERS = 200
"""Requests that may read records, or wait for one, at once."""
_PAGE = 1 << 20
"""Bytes of batches in one answer; at least one batch is in it."""
_FIRST = "SELECT min(first_position) FROM batch"
_BATCHES = (
    "SELECT records FROM batch WHERE first_position >="
    " (SELECT max(first_position) FROM batch WHERE first_position <= ?) ORDER BY first_position"
)
_DECODE = msgspec.msgpack.Decoder(list[Record]).decode
_ENCODE = msgspec.json.Encoder().encode


class PositionGone(Exception):
    """The log begins behind the position that was asked for."""

    def __init__(self, first: int) -> None:
        """`first` is the position of the log's first record."""
        super().__init__(f"The log begins at position {first}: the records before it are gone. Ask for from={first}.")


class RecordStream:
    """The records of a log that is being written, page by page."""

    def __init__(self, reader: Reader, *, shows_values: bool) -> None:
        """Read with `reader`; `shows_values` shows variables, messages, error texts and resources as well."""
        self._reader = reader
        self._shows_values = shows_values
        self._grown = asyncio.Event()
        self._stopped = False
        self._readers = Room()

    def listener(self, _records: Sequence[Record]) -> None:
        """Wake those who wait for a record; the writer calls it after each commit."""
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    def stop(self) -> None:
        """Let nobody wait any more."""
        self._stopped = True
        self.listener(())

    async def page(self, position: int, wait: int) -> bytes:
        """Return the records from `position` on, one JSON object a line; 0 stands for the log's first position.

        Where there is none yet, wait for one for `wait` milliseconds of real time; b"" where none came.

        Raises:
            PositionGone: The log begins later.
            Busy: Too many others read.
        """
        with self._readers.enter(MAX_READERS, "read records, but too many requests do so"):
            return await self._wait_for_page(position, time.monotonic() + wait / 1000)

    async def _wait_for_page(self, position: int, end: float) -> bytes:
        while True:
            grown = self._grown
            lines = await self._reader.read(lambda connection: self._page(connection, position))
            left = end - time.monotonic()
            if lines or left <= 0 or self._stopped:
                return lines
            with suppress(TimeoutError):
                await asyncio.wait_for(grown.wait(), left)

    def _page(self, connection: sqlite3.Connection, position: int) -> bytes:
        first: int = connection.execute(_FIRST).fetchone()[0]
        if 0 < position < first:
            raise PositionGone(first)
        lines: list[bytes] = []
        size = 0
        for (blob,) in connection.execute(_BATCHES, (max(position, first),)):
            lines += [self._line(record) for record in _DECODE(blob) if record.position >= position]
            size += len(blob)
            if lines and size >= _PAGE:
                break
        return b"".join(lines)

    def _line(self, record: Record) -> bytes:
        value = record.value
        if not self._shows_values:
            value = {name: each for name, each in value.items() if name in SHOWN}
        shown = {
            "position": record.position,
            "sourceRecordPosition": record.source,
            "key": record.key,
            "timestamp": record.timestamp,
            "recordType": record.record_type,
            "valueType": record.value_type,
            "intent": record.intent,
            "rejectionType": record.rejection_type,
            "rejectionReason": record.rejection_reason if self._shows_values else "",
            "value": value,
        }
        return _ENCODE(shown) + b"\n"
