import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ccmusic import AudioError, CheckpointError, Panel, Verdict, analyze, zoo
from small_models import make_checkpoint

EXAMPLES = Path(__file__).parent.parent / "examples"
SONG = EXAMPLES / "vibe_ace.ogg"
VERDICTS = Path(__file__).parent / "golden" / "verdicts.json"


@pytest.fixture
def small_zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three models for CQT, one for Mel."""
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path))
    monkeypatch.setattr(zoo, "SHIPPED", tmp_path / "none")
    folder = tmp_path / "checkpoints"
    for favourite in ("jazz", "rock"):
        make_checkpoint(folder, f"{favourite}_cqt", favourite=favourite, backbone=favourite)
    make_checkpoint(folder, "late_cqt", favourite="jazz", backbone="late")
    make_checkpoint(folder, "pop_mel", favourite="pop", transform="mel", backbone="pop")
    return folder


def test_every_step_can_be_looked_at(small_zoo: Path) -> None:
    seen: list[Verdict] = []
    analysis = analyze(SONG, on_verdict=seen.append)
    assert analysis.clip.samples.shape == (220_500,)
    (spectrogram,) = analysis.spectrograms.values()
    assert spectrogram.values.shape == (84, 431)
    ((picture,),) = analysis.pictures.values()
    assert picture.pixels.shape == (224, 224)
    assert sorted(v.card.name for v in seen) == sorted(analysis.verdicts)
    assert len(analysis.verdicts) == 3
    assert analysis.agreement is not None
    assert (analysis.agreement.top, analysis.agreement.votes) == ("jazz", 2)
    assert max(analysis.mean, key=lambda genre: analysis.mean[genre]) == "jazz"
    assert sum(analysis.mean.values()) == pytest.approx(1)
    assert analysis.elapsed_ms > max(v.latency_ms for v in analysis.verdicts.values())


def test_mel_has_its_own_models(small_zoo: Path) -> None:
    analysis = analyze(SONG, transform="mel")
    assert list(analysis.verdicts) == ["pop_mel"]
    assert next(iter(analysis.pictures)).transform.name == "mel"


def test_models_are_chosen_by_name(small_zoo: Path) -> None:
    assert list(analyze(SONG, models=["rock"]).verdicts) == ["rock_cqt"]
    with pytest.raises(CheckpointError, match="unknown model tuba"):
        analyze(SONG, models=["tuba"])


def test_a_stream_gives_what_the_file_gives(small_zoo: Path) -> None:
    from_stream = analyze(io.BytesIO(SONG.read_bytes()))
    from_path = analyze(SONG)
    assert from_stream.mean == from_path.mean
    assert from_stream.clip.info == from_path.clip.info


def test_a_kept_panel_is_shared_by_threads(small_zoo: Path) -> None:
    songs = sorted(EXAMPLES.glob("*.ogg"))
    with Panel.open("cqt") as panel:
        alone = [analyze(song, panel=panel).mean for song in songs]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda song: analyze(song, panel=panel).mean, songs))
    assert together == alone


def test_a_file_that_cannot_be_read_is_an_audio_error(small_zoo: Path, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="no such file"):
        analyze(tmp_path / "nothing.mp3")


def test_a_loaded_clip_is_not_decoded_again(small_zoo: Path) -> None:
    whole = analyze(SONG)
    again = analyze(whole.clip)
    assert again.mean == whole.mean
    assert again.file == whole.file == str(SONG)
    assert again.clip is whole.clip


def _shipped_verdicts() -> dict[str, dict[str, dict[str, float]]]:
    """Probabilities that each shipped model gives each example."""
    with Panel(zoo.find("both")) as panel:
        return {
            song.name: {
                name: verdict.probabilities
                for name, verdict in analyze(song, transform="both", panel=panel).verdicts.items()
            }
            for song in sorted(EXAMPLES.glob("*.ogg"))
        }


def test_the_shipped_models_judge_the_examples_as_they_did(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path))
    golden = json.loads(VERDICTS.read_text())
    now = _shipped_verdicts()
    assert now.keys() == golden.keys()
    for song, models in golden.items():
        assert now[song].keys() == models.keys()
        for name, probabilities in models.items():
            genres = list(probabilities)
            moved = [abs(now[song][name][g] - probabilities[g]) for g in genres]
            # Processors round the integers of int8 models in their own ways.
            assert sum(moved) / 2 < 0.05, (song, name)
        before, after = (
            np.mean([list(p.values()) for p in each[song].values()], axis=0)
            for each in (golden, now)
        )
        assert before.argmax() == after.argmax(), song


if __name__ == "__main__":
    rounded = {
        song: {m: {g: round(p, 4) for g, p in shares.items()} for m, shares in models.items()}
        for song, models in _shipped_verdicts().items()
    }
    VERDICTS.write_text(json.dumps(rounded, indent=1) + "\n")
