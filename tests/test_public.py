"""The public names: all that they return is exported, described, and its examples run."""

from __future__ import annotations

import doctest
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import pytest

import ccmusic

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
WITH_EXAMPLES = [
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(SOURCE.rglob("*.py"))
    if ">>> " in path.read_text("utf-8")
]


def _classes(hint: Any) -> Iterator[type]:
    """Classes of ours in an annotation, however deep."""
    if isinstance(hint, type) and hint.__module__.startswith("ccmusic."):
        yield hint
    for inner in get_args(hint):
        yield from _classes(inner)


def _returned(thing: Any) -> Iterator[type]:
    """What a public function, or the methods and fields of a public class, give."""
    functions = [thing] if inspect.isfunction(thing) else []
    if inspect.isclass(thing):
        for hint in get_type_hints(thing).values():
            yield from _classes(hint)
        for name, member in vars(thing).items():
            bare = getattr(member, "fget", None) or getattr(member, "func", None) or member
            bare = getattr(bare, "__func__", bare)
            if inspect.isfunction(bare) and not name.startswith("_"):
                functions.append(bare)
    for function in functions:
        names = vars(inspect.getmodule(function)) | _plots()
        yield from _classes(get_type_hints(function, names).get("return"))


def _plots() -> dict[str, Any]:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.image import AxesImage

    nn = SimpleNamespace(Module=object)  # PyTorch need not be there
    return {"Axes": Axes, "PolyCollection": PolyCollection, "AxesImage": AxesImage, "nn": nn}


CLASSES_AND_FUNCTIONS = [
    name
    for name in ccmusic.__all__
    if inspect.isclass(getattr(ccmusic, name)) or inspect.isfunction(getattr(ccmusic, name))
]


@pytest.mark.parametrize("name", CLASSES_AND_FUNCTIONS)
def test_public_things_have_an_example_and_return_public_things(name: str) -> None:
    thing = getattr(ccmusic, name)
    assert ">>> " in (thing.__doc__ or "")
    assert thing.__module__.startswith("ccmusic.")
    exported = {getattr(ccmusic, public) for public in ccmusic.__all__}
    hidden = {
        found
        for found in _returned(thing)
        # The documents are public in their own module.
        if found not in exported and found.__module__ != "ccmusic.schema"
    }
    assert not hidden


@pytest.mark.parametrize("name", CLASSES_AND_FUNCTIONS)
def test_every_sentence_is_in_english_by_default(name: str) -> None:
    if message := getattr(getattr(ccmusic, name), "message", None):
        assert inspect.signature(message).parameters["language"].default == "en"


def test_all_is_sorted_whole_and_all_there_is() -> None:
    assert len(set(ccmusic.__all__)) == len(ccmusic.__all__)
    public = {
        name
        for name, thing in vars(ccmusic).items()
        if not name.startswith("_") and not inspect.ismodule(thing) and name != "version"
    }
    assert public == set(ccmusic.__all__) - {"__version__"}


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    results = doctest.testmod(importlib.import_module(name))
    assert results.attempted
    assert not results.failed


def test_no_example_is_skipped() -> None:
    for path in SOURCE.rglob("*.py"):
        assert "doctest: +SKIP" not in path.read_text("utf-8"), path


def test_the_package_does_not_load_what_it_may_not_need() -> None:
    code = (
        "import sys, ccmusic\n"
        "print([m for m in ('matplotlib', 'pandas', 'torch', 'streamlit') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_changes_nothing_in_the_host() -> None:
    code = (
        "import os, sys, multiprocessing.spawn as spawn\n"
        "before = dict(os.environ), spawn.get_preparation_data\n"
        "import ccmusic\n"
        "assert (dict(os.environ), spawn.get_preparation_data) == before\n"
        "heavy = {'onnxruntime', 'torch', 'matplotlib', 'streamlit', 'fastapi', 'ray', 'pyarrow'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert not [name for name in sys.modules if name.startswith('ccmusic.batch')]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
