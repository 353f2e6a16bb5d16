"""A process whose work is done ends, whatever its steps have left behind."""

import asyncio
import logging
import os
import sys
import traceback
from collections.abc import Coroutine
from typing import NoReturn

import uvicorn

from saga.clients.failure import Failure


def run(work: Coroutine[object, object, None]) -> NoReturn:
    """Do `work` to its end, and end the process: with status 0, or 1 after a bug.

    A step that refuses to be cancelled, or a thread that it has made, would keep the interpreter waiting for as long as
    it likes. What was to be closed is closed by then; so the rest ends with the process.

    Raises:
        Failure: The work cannot begin.
    """
    status = 0
    with asyncio.Runner(loop_factory=uvicorn.Config("", log_config=None).get_loop_factory()) as runner:
        try:
            runner.run(work)
        except Failure:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, a process that does not work any more must not stay
            traceback.print_exc()
            status = 1
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
