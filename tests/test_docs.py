"""What the documents say is what the files say."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import outputs
from ccmusic.audio import load
from ccmusic.card import ModelCard
from ccmusic.genres import GENRES
from ccmusic.zoo import SHIPPED, panel_card

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"


@pytest.mark.parametrize(
    "script",
    ["figures.py", "cards.py", "schema.py", "commands.py", "showcase.py", "examples.py"],
)
def test_generated_pages_have_not_drifted(script: str) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / script, "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(
            page, id=page.name, marks=[] if page.name.startswith("README") else pytest.mark.slow
        )
        for page in outputs.PAGES
    ],
)
def test_programs_of_the_manual_print_what_it_says(page: Path) -> None:
    assert outputs.with_outputs(page) == page.read_text("utf-8")


def test_an_output_may_differ_in_times_and_a_little_in_numbers() -> None:
    assert outputs.alike("Folk 43%  12 ms", "Folk 44% 312 ms")
    assert not outputs.alike("Folk 43%  12 ms", "Jazz 43%  12 ms")
    assert not outputs.alike("Folk 43%", "Folk 53%")
    assert not outputs.alike("('folk', 0.43)", "('folk', 0.53)")
    assert not outputs.alike("one line", "one line\nand another")


def test_links_of_contributing_lead_somewhere() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!http)([^)]+)\)", text):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_readme_is_short_and_reads_the_same_elsewhere(name: str) -> None:
    """On PyPI a relative link leads nowhere."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 90
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert all(link.startswith("https://") for link in links)
    ours = re.compile(
        r"https://(?:github\.com/ccmusic/ccmusic/blob|raw\.githubusercontent\.com/ccmusic/ccmusic)/main/(.+)"
    )
    targets = [found[1] for link in links if (found := ours.fullmatch(link))]
    assert len(targets) >= 20
    for target in targets:
        assert (ROOT / target).exists(), target


def test_both_readmes_show_the_same_commands() -> None:
    def commands(name: str) -> list[str]:
        text = (ROOT / name).read_text(encoding="utf-8")
        lines = "\n".join(re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)).splitlines()
        return [line.split("#")[0].strip() for line in lines]

    assert commands("README.md") == commands("README.zh.md")


def test_every_example_is_short_and_credited() -> None:
    credits = (EXAMPLES / "CREDITS.md").read_text(encoding="utf-8")
    songs = sorted(EXAMPLES.glob("*.ogg"))
    assert len(songs) >= 5
    for song in songs:
        assert f"`{song.name}`" in credits
        long = song.stem in ("coherence", "total_breakdown")
        assert load(song).info.duration <= (140 if long else 12.01)
        assert song.stat().st_size < 2e6


def test_the_showcase_has_one_free_recording_of_each_genre() -> None:
    folder = ROOT / "docs" / "showcase"
    shown = json.loads((folder / "recordings.json").read_text(encoding="utf-8"))
    assert [piece["genre"] for piece in shown] == list(GENRES)
    credits = (EXAMPLES / "CREDITS.md").read_text(encoding="utf-8")
    for piece in shown:
        path = ROOT / piece["file"]
        assert (ROOT / "LICENSES" / f"{piece['licence']}.txt").exists()
        assert piece["author"]
        if path.parent == folder:
            assert load(path).info.duration <= 12.01
            assert path.stat().st_size < 120_000
        else:
            assert f"`{path.name}`" in credits
    of_ours = {ROOT / piece["file"] for piece in shown}
    assert set(folder.glob("*.ogg")) <= of_ours


@pytest.mark.parametrize("name", ["showcase.md", "showcase.zh.md"])
def test_the_showcase_shows_all_its_pictures(name: str) -> None:
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    shown = re.findall(r"\]\(showcase/([^)]+\.webp)\)", text)
    assert sorted(shown) == sorted(p.name for p in (ROOT / "docs" / "showcase").glob("*.webp"))


def test_shipped_checkpoints_are_measured_and_light() -> None:
    for transform in ("cqt", "mel"):
        paths = list(SHIPPED.glob(f"*_{transform}.json"))
        cards = [ModelCard.read(path) for path in paths]
        assert len({card.backbone for card in cards}) == len(cards) == 5
        assert all(card.metrics and card.metrics.recall for card in cards)
        assert sum(path.with_suffix(".onnx").stat().st_size for path in paths) < 72e6


@pytest.mark.parametrize("which", ["*_cqt", "*_mel", "*"])
def test_the_mean_of_the_shipped_checkpoints_is_measured(which: str) -> None:
    panel = panel_card(ModelCard.read(path) for path in SHIPPED.glob(f"{which}.json"))
    assert panel
    assert panel.pairs
