"""The workflows take what they name from where it is, and run no code that may change."""

import re
from pathlib import Path

import pytest

from ccmusic import __version__

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_the_release_reads_the_version_where_it_stands() -> None:
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8")
    (file,) = re.findall(r"sed -n '.*' (\S+\.py)\)", text)
    assert f'__version__ = "{__version__}"' in (ROOT / file).read_text("utf-8").splitlines()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_hash(path: Path) -> None:
    for uses in re.findall(r"uses: (.+)", path.read_text("utf-8")):
        ours = uses.startswith("./")
        assert ours or re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", uses), uses


def test_all_workflows_take_the_same_versions() -> None:
    found = [
        use for path in WORKFLOWS for use in re.findall(r"uses: (\w.+)", path.read_text("utf-8"))
    ]
    assert len({use.partition("@")[0] for use in found}) == len(set(found))
