"""What the tests of the containers' set-up need."""

import pytest

from tests.compose import composefile
from tests.compose.composefile import ComposeFile
from tests.compose.image import Image, build


@pytest.fixture(scope="session")
def compose() -> ComposeFile:
    return composefile.parse(composefile.read())


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return build(tmp_path_factory.mktemp("image"))
