from pathlib import Path

import numpy as np
import pytest
import soundfile

import make
from ccmusic.card import ModelCard, PanelCard
from ccmusic.zoo import Checkpoint
from small_models import make_checkpoint

NAME = "resnet50_cqt"


def _material(folder: Path, genre: str) -> None:
    """Four songs of one genre by other artists, and one recording of another genre."""
    folder.mkdir()
    rows = []
    for number in range(5):
        path = folder / f"{number}.wav"
        tone = np.sin(np.arange(4 * 22_050) * (0.02 + 0.01 * number))
        soundfile.write(path, tone, 22_050)
        rows.append(f"{path},{genre if number else 'folk'},songs,{number},valid")
    head = "path,genre,source,group,split"
    (folder / "clips.csv").write_text("\n".join([head, *rows]))
    songs = [row.removesuffix("valid") + "high" for row in rows[1:]]
    (folder / "songs.csv").write_text("\n".join([head, *songs]))


@pytest.mark.parametrize(("genre", "wins"), [("rock", "trained"), ("jazz", "former")])
def test_a_network_replaces_a_worse_predecessor_only(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    genre: str,
    wins: str,
) -> None:
    cards = {
        kind: make_checkpoint(tmp_path / kind, NAME, favourite=favourite)
        for kind, favourite in (("former", "jazz"), ("trained", "rock"))
    }
    _material(tmp_path / "material", genre)
    (tmp_path / "runs" / NAME).mkdir(parents=True)
    (tmp_path / "runs" / NAME / "weights.pt").touch()
    monkeypatch.setattr(make, "SHIPPED", tmp_path / "former")
    monkeypatch.setattr(make, "names", lambda transform=None: [NAME])
    trained = Checkpoint(cards["trained"], tmp_path / "trained" / f"{NAME}.onnx")
    monkeypatch.setattr(make, "exported", lambda work, name: trained)

    make.finish(tmp_path)

    out = tmp_path / "checkpoints"
    card = ModelCard.read(out / f"{NAME}.json")
    assert card.sha256 == cards[wins].sha256
    # Nobody has measured yet whether its maps name what counts.
    assert f"faithfulness.py {tmp_path / 'material'}" in (said := capsys.readouterr().out)
    assert f"--checkpoints {out} --only {NAME}" in said
    Checkpoint(card, out / f"{NAME}.onnx").verify()
    assert card.metrics
    assert card.metrics.accuracy == pytest.approx(4 / 5)
    assert card.unknown_sources
    assert (card.unknown_sources.recordings, card.unknown_sources.accuracy) == (4, 1)
    panel = PanelCard.read(out / "panels" / "all.json")
    assert panel.describes([card])
    assert panel.unknown_sources == card.unknown_sources


def test_what_is_finished_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(make, "train", lambda manifest, out, options: begun.append(out.name))
    monkeypatch.setattr(make, "finish", lambda work: None)
    (tmp_path / "material").mkdir()
    (tmp_path / "material" / "verdicts.csv").touch()
    (tmp_path / "runs" / NAME).mkdir(parents=True)
    (tmp_path / "runs" / NAME / "weights.pt").touch()
    make.make(tmp_path, tmp_path, ship=True)
    assert begun == []
    make.make(tmp_path, tmp_path)
    assert len(begun) == 9
    assert begun[0] == "mobilenet_v3_large_cqt"
    assert NAME not in begun
    make.make(tmp_path, tmp_path, only=["vgg19_bn_mel", NAME])
    assert begun[9:] == ["vgg19_bn_mel"]
