"""The end of a stack from outside of its supervisor: `saga down`, and a start that came to nothing."""

import shutil
import time

import psutil
from filelock import FileLock, Timeout

from saga.stack import state
from saga.stack.errors import DamagedStateError, StackError
from saga.stack.layout import Layout

_POLL = 0.1
_DOWN_SECONDS = 90.0
"""How long an orderly stop may take."""


def end(layout: Layout, *, delete_data: bool = False, state_timeout: float = 30.0) -> bool:
    """Stop what runs in `layout`, wait until nothing of it is left, and forget its data if asked to.

    A supervisor that has just started has `state_timeout` seconds to write its state.

    Returns:
        Whether anything ran.

    Raises:
        StackError: a supervisor is there that does not tell who it is, or data could not be deleted.
    """
    if not layout.data.exists():
        return False
    if not layout.data.is_dir():
        message = f"{layout.data} is not a folder. Remove it, or name another place with SAGA_HOME."
        raise StackError(message)
    lock = FileLock(layout.lock)
    ran = _end_supervisor(layout, lock, state_timeout)
    try:
        # Nobody can start a stack here now.
        last = _last_state(layout)
        if last is not None:
            ran = ran or any(last.leftovers())
            state.sweep(last)
        if delete_data:
            _delete(layout)
    finally:
        lock.release()
    return ran


def terminate(supervisor: psutil.Process) -> None:
    """Ask the supervisor to stop everything in order, and wait for it; kill it when it takes too long."""
    try:
        supervisor.terminate()
    except psutil.NoSuchProcess:
        return
    _, alive = psutil.wait_procs([supervisor], timeout=_DOWN_SECONDS)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, timeout=10)


def _end_supervisor(layout: Layout, lock: FileLock, state_timeout: float) -> bool:
    """Acquire the supervisor's lock, ending whoever holds it; return whether anybody did.

    Not the state but the lock says whether one is at work: a supervisor has the lock before it writes its state.
    """
    held = False
    deadline = time.monotonic() + state_timeout
    while True:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            held = True
        else:
            return held
        now = _last_state(layout, keep=True)
        supervisor = now.supervisor.find() if now is not None else None
        if supervisor is not None:
            terminate(supervisor)
        elif time.monotonic() > deadline:
            message = f"A process holds {layout.lock} and does not say that it is a stack: end it, then try again."
            raise StackError(message)
        time.sleep(_POLL)


def _last_state(layout: Layout, *, keep: bool = False) -> state.StackState | None:
    """Return the last state; a damaged one says nothing, and is removed unless `keep`."""
    try:
        return state.read(layout.state)
    except DamagedStateError:
        if not keep:
            layout.state.unlink()
        return None


def _delete(layout: Layout) -> None:
    shutil.rmtree(layout.data, ignore_errors=True)  # as much as can be
    try:
        if layout.data.exists():
            shutil.rmtree(layout.data)
    except OSError as error:
        message = f"Not everything in {layout.data} could be deleted: {error}."
        raise StackError(message) from error
