"""What browsers fetch from the page: each gets what it was drawn for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("streamlit")

from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
from streamlit.testing.v1 import AppTest

from ccmusic.dashboard.player import wav

RATE = 44_100
TONE = 60_000  # samples


def hidden_tone(frequency: float) -> bytes:
    """WAV of 3.5 MB, silent but for a tone in its second quarter."""
    samples = np.zeros(1_750_000, np.int16)
    time = np.arange(TONE) / RATE
    samples[400_000 : 400_000 + TONE] = 8000 * np.sin(2 * np.pi * frequency * time)
    return wav(samples, RATE)


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """What Streamlit would serve, by its name, as its own storage gives names."""
    files: dict[str, bytes] = {}
    storage = MemoryMediaFileStorage("/media")

    def add(
        _: Any, content: bytes, mimetype: str, coordinates: str, file_name: str | None = None,
        **kind: Any,
    ) -> str:  # fmt: skip
        name = storage.load_and_get_id(content, mimetype, kind.get("kind"), file_name)  # type: ignore[arg-type]
        files[name] = storage.get_file(name).content
        return storage.get_url(name)

    monkeypatch.setattr("streamlit.runtime.media_file_manager.MediaFileManager.add", add)
    return files


def test_sounds_that_differ_where_streamlit_does_not_look_have_two_names(
    stored: dict[str, bytes],
) -> None:
    def script(content: bytes) -> None:
        from ccmusic.dashboard.media import sound
        from ccmusic.dashboard.piece import Piece

        sound(Piece("song.wav", "", content))

    sounds = [hidden_tone(frequency) for frequency in (440, 660)]
    assert len({len(content) for content in sounds}) == 1
    for content in sounds:
        app = AppTest.from_function(script, args=(content,)).run(timeout=60)
        assert not app.exception
        url = app.get("audio")[0].proto.url
        assert stored[Path(url).stem] == content
    assert sorted(stored.values()) == sorted(sounds)


def test_files_that_differ_where_streamlit_does_not_look_have_two_names(
    stored: dict[str, bytes],
) -> None:
    def script(content: bytes) -> None:
        from ccmusic.dashboard.media import offer

        offer("Save", content, file_name="mono.wav", mime="audio/wav", key="mono")

    for frequency in (440, 660):
        app = AppTest.from_function(script, args=(hidden_tone(frequency),)).run(timeout=60)
        assert not app.exception
        url = app.get("download_button")[0].proto.url
        assert stored[Path(url).stem] == hidden_tone(frequency)
    assert len(stored) == 2
