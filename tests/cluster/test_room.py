"""A disk that is nearly full is told before anything starts, not by an engine that stops."""

import shutil
from pathlib import Path

import pytest

from saga.stack.disk_space import require_room
from saga.stack.errors import NoRoomError


def test_a_disk_with_too_little_room_is_named_with_what_to_do(tmp_path: Path) -> None:
    more_than_there_is = shutil.disk_usage(tmp_path).free + 1_000_000_000
    not_yet_there = tmp_path / "home" / "stack-0"
    with pytest.raises(NoRoomError, match=f"(?s)The disk is nearly full.*{not_yet_there}.*SAGA_HOME"):
        require_room(not_yet_there, more_than_there_is)
    require_room(not_yet_there, 1)
