"""Starts one part: ties its life to the supervisor's, gives up root where the part refuses root, then becomes it.

Run as a script, without the packages of the project: `launcher.py PARENT_PID DEATH_SIGNAL USER -- COMMAND...`. A
program of its own, because code between fork and exec of a process with threads is not safe.
"""

import ctypes
import os
import pwd
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2
_CAPABILITY_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Capabilities(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def main(arguments: list[str]) -> None:
    """Become the command after `--`."""
    parent, death_signal, user = arguments[:3]
    command = arguments[4:]
    if user and os.geteuid() == 0:
        _become(user)
    if sys.platform == "linux":
        # After the change of user, which clears it.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit(f"the supervisor {parent} is gone")
    os.execvp(command[0], command)  # noqa: S606 - no shell is the point: the command is a list of words


def _become(user: str) -> None:
    """Take the identity of `user`, and keep the right to read what root may read.

    The checkout and the data of a user root lie below directories that nobody else may enter, and changing their modes
    is not ours to do.
    """
    entry = pwd.getpwnam(user)
    libc = ctypes.CDLL(None)
    linux = sys.platform == "linux"
    if linux:
        libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    if linux:
        _keep_reading(libc)


def _keep_reading(libc: ctypes.CDLL) -> None:
    """Keep one capability past the change of user and past exec; without any, the paths' own modes decide."""
    header = _Header(_CAPABILITY_VERSION_3, 0)
    sets = (_Capabilities * 2)()
    libc.capget(ctypes.byref(header), sets)
    for capability in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE):  # containers often have only the second
        mask = 1 << capability
        if sets[0].permitted & mask:
            kept = (_Capabilities * 2)(_Capabilities(mask, mask, mask), _Capabilities(0, 0, 0))
            libc.capset(ctypes.byref(header), kept)
            libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)
            return


if __name__ == "__main__":
    main(sys.argv[1:])
