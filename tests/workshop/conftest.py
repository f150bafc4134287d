from collections.abc import Iterator
from pathlib import Path

import pytest

from small_data import write_manifest


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep spectrograms and checkpoints out of the home of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CCMUSIC_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty-two sounds of two genres, one of them unlabelled."""
    return write_manifest(tmp_path_factory.mktemp("sounds"))
