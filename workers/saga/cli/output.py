"""Output that cannot end a command: signs that a terminal lacks become plain, and a full disk is told at the end."""

import codecs
import errno
import io
import os
import sys

_PLAIN = {"✓": "+", "✗": "x", "■": "#", "↻": "~", "…": "...", "–": "-", "—": "-", "→": "->", "·": "-", "•": "*"}  # noqa: RUF001 - the signs themselves
_HANDLER = "saga.plain"


class GuardedStream(io.TextIOWrapper):
    """A standard stream that remembers why it could not be written, and drops what comes after."""

    failure: OSError | None = None

    def write(self, text: str) -> int:
        """Write `text`.

        Raises:
            BrokenPipeError: The reader is gone; that ends a command in the usual way.
        """
        try:
            return super().write(text)
        except BrokenPipeError:
            raise
        except OSError as error:
            self._drop(error)
            return len(text)

    def flush(self) -> None:
        """Write what is buffered.

        Raises:
            BrokenPipeError: As for `write`.
        """
        try:
            super().flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        self.failure = self.failure or error
        if error.errno == errno.EBADF:
            return
        # What is buffered cannot be taken back: it would fail again, and at the interpreter's end too.
        discard(self.fileno())


def discard(descriptor: int) -> None:
    """Let what is written to a file descriptor go nowhere from now on."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def guard() -> None:
    """Guard both standard streams; what is not a file, as a test's, stays as it is."""
    codecs.register_error(_HANDLER, _plain)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if type(stream) is io.TextIOWrapper:
            encoding, is_line_buffered = stream.encoding, stream.line_buffering
            guarded = GuardedStream(stream.detach(), encoding, _HANDLER, line_buffering=is_line_buffered)
            setattr(sys, name, guarded)


def output_failure() -> OSError | None:
    """Flush standard output; return why something of it was lost, None where nothing was."""
    if not isinstance(sys.stdout, GuardedStream):
        return None
    sys.stdout.flush()
    return sys.stdout.failure


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for characters that the encoding lacks: a codec's error handler."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(each, "?") for each in error.object[error.start : error.end]), error.end
