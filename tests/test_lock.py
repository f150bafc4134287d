"""constraints.txt holds a version of everything that pyproject.toml names."""

import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def _requirements(name: str) -> list[Requirement]:
    lines = (ROOT / name).read_text("utf-8").splitlines()
    return [Requirement(line) for line in lines if not line.startswith("#")]


def _pythons() -> list[str]:
    said = (c.rpartition(" :: ")[2] for c in PROJECT["classifiers"] if ":: Python :: 3." in c)
    return list(said)


@pytest.mark.parametrize("python", _pythons())
@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_every_dependency_has_one_version(python: str, system: str) -> None:
    place = {"python_version": python, "python_full_version": f"{python}.9", "sys_platform": system}
    pinned: dict[str, str] = {}
    for one in _requirements("constraints.txt"):
        if not one.marker or one.marker.evaluate(place):
            assert one.name not in pinned
            (exact,) = one.specifier
            assert exact.operator == "=="
            pinned[one.name] = exact.version
    extras = chain(*PROJECT["optional-dependencies"].values())
    for asked in map(Requirement, [*PROJECT["dependencies"], *extras]):
        if asked.name != "ccmusic":
            assert asked.specifier.contains(pinned[asked.name.lower()]), asked
    for fixed in _requirements("constraints.in"):
        assert fixed.specifier.contains(pinned[fixed.name])


def test_no_address_is_in_it() -> None:
    assert "://" not in (ROOT / "constraints.txt").read_text("utf-8")
