"""The core's state out of the log: the newest snapshot, and the records behind it."""

import secrets

from .core import Engine
from .log import Log


def recover(log: Log, engine: Engine, *, now: int, first_key: int | None) -> None:
    """Bring a new engine to where the log ends; a new log is begun. Then it can be written.

    `now` is in milliseconds since 1970. `first_key` is where a new log starts to count keys, by default at `now`: then
    no key is one that participants know of an older log.

    Raises:
        LogError: The log is damaged, and nothing of it was changed; or it cannot be written.
    """
    if log.is_new:
        log.create(engine.begin(seed=secrets.randbits(63), first_key=now if first_key is None else first_key, now=now))
        return
    snapshot = log.snapshot()
    position = 0
    if snapshot is not None:
        position, state = snapshot
        engine.restore(state, position)
    for record in log.records(after=position):
        engine.replay(record)
    log.begin_writing()
