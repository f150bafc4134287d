"""The manual builds, names every public object, and leads nowhere that is not there."""

import inspect
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import ccmusic

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


class _Page(HTMLParser):
    """Anchors of a page, where it leads, and what a browser fetches for it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors.update(values[name] for name in ("id", "name") if name in values)
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag == "link" and values.get("rel") in ("stylesheet", "icon", "preconnect"):
            self.fetched.append(values["href"])
        elif "src" in values:
            self.fetched.append(values["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    out = tmp_path_factory.mktemp("site")
    # Not --quiet, which hides warnings from --strict as well.
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.slow
def test_every_link_of_the_site_leads_somewhere(site: Path) -> None:
    pages = {path: _Page(path) for path in site.rglob("*.html") if path.name != "404.html"}
    assert len(pages) >= 70  # in two languages
    for path, page in pages.items():
        for link in [*page.links, *page.fetched]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            assert target.exists(), f"{path.name} links to {link}"
            if parts.fragment and target in pages:
                known = pages[target].anchors
                assert unquote(parts.fragment) in known, f"{path.name} links to {link}"


@pytest.mark.slow
def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        for address in _Page(path).fetched:
            assert not urlsplit(address).netloc, f"{path.name} loads {address}"


def test_every_public_object_is_on_the_page_of_its_module() -> None:
    described = {
        page.stem: re.findall(r"^::: ccmusic\.(\w+)$", page.read_text("utf-8"), re.MULTILINE)
        for page in (DOCS / "reference").glob("*.md")
    }
    names = [name for of_page in described.values() for name in of_page]
    assert sorted(names) == sorted({*ccmusic.__all__, "schema"} - {"__version__"})
    for module, of_page in described.items():
        for name in of_page:
            thing = getattr(ccmusic, name)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                assert thing.__module__ == f"ccmusic.{module}", name


@pytest.mark.parametrize("name", ["python.md", "python.zh.md"])
def test_every_public_name_is_explained_in_both_languages(name: str) -> None:
    text = (DOCS / name).read_text("utf-8")
    assert not [name for name in ccmusic.__all__ if f"`{name}`" not in text and name[0] != "_"]


def test_every_page_is_there_in_both_languages() -> None:
    english = {path.stem for path in DOCS.glob("*.md") if not path.stem.endswith(".zh")}
    chinese = {path.name.removesuffix(".zh.md") for path in DOCS.glob("*.zh.md")}
    # The first has both languages on one page, the second is that of the repository.
    assert english - chinese == {"glossary", "changelog"}
    assert not chinese - english


def test_every_page_has_a_title_in_the_menu_of_both_languages() -> None:
    text = (ROOT / "mkdocs.yml").read_text("utf-8")
    menu, plugins = text[text.index("\nnav:") :].split("\nplugins:")
    titled = re.findall(r"^ +- ([^:\n]+): ([\w/]+)\.md$", menu, re.MULTILINE)
    pages = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")}
    assert {page for _, page in titled} == {page for page in pages if not page.endswith(".zh")}
    titles = re.findall(r"^ +- ([^:\n]+):", menu, re.MULTILINE)
    chinese = plugins[plugins.index("nav_translations:") : plugins.index("- autorefs")]
    translated = dict(re.findall(r"^ {12}([^:\n]+): (.+)$", chinese, re.MULTILINE))
    assert set(titles) - set(translated) == {"Python"}
    assert set(translated) <= set(titles)


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.zh.md")), ids=lambda path: path.name)
def test_both_languages_show_the_same_commands(path: Path) -> None:
    def commands(file: Path) -> list[str]:
        blocks = re.findall(r"```(?:sh|ini)\n(.*?)```", file.read_text("utf-8"), re.DOTALL)
        lines = [line.split("#")[0].strip() for line in "\n".join(blocks).splitlines()]
        # The report is in Chinese by default, and lines may hold a comment alone.
        return [line.removesuffix("--language en").strip() for line in lines if line]

    assert commands(path) == commands(path.with_suffix("").with_suffix(".md"))
