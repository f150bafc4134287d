"""Weights through the window of the page."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("streamlit")
pytest.importorskip("torch")

import torch
from streamlit import config
from streamlit.testing.v1 import AppTest

from ccmusic import dashboard, zoo
from ccmusic.card import ModelCard
from ccmusic.dashboard import compute, visitors
from ccmusic.dashboard import weights as dashboard_weights
from ccmusic.picture import Preprocessing
from ccmusic.texts import Language, translate
from ccmusic.workshop import importer
from ccmusic.workshop.backbones import torchvision_models
from small_models import make_checkpoint

APP = Path(dashboard.__file__).with_name("app.py")


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path / "home"))
    compute.forget_all()
    config.set_option("server.address", "localhost")
    yield
    config.set_option("server.address", None)


@pytest.fixture(scope="module", autouse=True)
def _converted_once() -> Iterator[None]:
    """All files here hold the same network: it becomes ONNX once."""
    known: dict[tuple[Preprocessing, str], bytes] = {}
    convert = importer._convert

    def once(path: Path, network: torch.nn.Module, card: ModelCard) -> bytes:
        kind = card.preprocessing, card.precision
        if kind not in known:
            known[kind] = convert(path, network, card)
        return known[kind]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importer, "_convert", once)
        yield


def weights() -> bytes:
    torch.manual_seed(0)
    network = torchvision_models().mobilenet_v3_small()
    network.classifier = torch.nn.Linear(576, 3)
    content = io.BytesIO()
    torch.save(network.state_dict(), content)
    return content.getvalue()


def open_window(language: Language, name: str, content: bytes) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=240)
    app.query_params.update(lang=language, example="rain", transform="mel")
    app.run()
    app.button(key="open_weights").click().run()
    app.file_uploader(key="weights_file").upload(name, content, "application/octet-stream").run()
    return app


def click(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception


@pytest.mark.parametrize("language", ["zh", pytest.param("en", marks=pytest.mark.slow)])
def test_a_file_becomes_a_model_of_the_panel(language: Language) -> None:
    app = open_window(language, "thesis_mel.pth", weights())
    assert app.text_input(key="weights_name_thesis_mel").value == "thesis_mel"
    assert app.selectbox(key="weights_recipe_thesis_mel").value == "mel"
    app.text_area(key="weights_classes").set_value("fado\nmorna, samba").run()
    click(app, translate(language, "weights.import"))
    done = translate(language, "weights.done", name="thesis_mel", transform="Mel")
    assert [e.value for e in app.error] == []
    assert [s.value.replace("\\", "") for s in app.success] == [done]
    assert "thesis_mel" in panel(app)  # at once
    card = zoo.find_one("thesis_mel").card
    assert card.classes == ("fado", "morna", "samba")
    assert any("mobilenet_v3_small" in m.value.replace("\\", "") for m in app.markdown)

    again = AppTest.from_file(str(APP), default_timeout=240)
    again.query_params.update(lang=language, example="rain", transform="mel")
    again.run()
    assert "thesis_mel" in panel(again)
    again.button(key="open_weights").click().run()
    again.button(key="remove_thesis_mel").click().run()
    again.button(key="keep").click().run()
    assert "thesis_mel" in panel(again)
    again.button(key="remove_thesis_mel").click().run()
    again.button(key="remove").click().run()
    assert not again.exception
    assert "thesis_mel" not in panel(again)
    assert list(zoo.user_folder().iterdir()) == []


def panel(app: AppTest) -> list[str]:
    """Names of the models that can be switched on and off."""
    (switches,) = [pills for pills in app.pills if str(pills.key).startswith("models_")]
    return [str(name) for name in switches.value or ()]


def test_where_others_come_a_model_is_its_visitors_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config.set_option("server.address", "0.0.0.0")
    classes = ("fado", "morna")
    make_checkpoint(tmp_path, "theirs", transform="mel", classes=classes, favourite="fado")
    network, card = ((tmp_path / f"theirs.{kind}").read_bytes() for kind in ("onnx", "json"))
    monkeypatch.setattr(visitors, "cookie", lambda: "mine")
    app = open_window("en", "theirs.onnx", network)
    assert any(translate("en", "weights.private") in m.value for m in app.markdown)
    both = [("theirs.json", card, "application/json"), ("theirs.onnx", network, "")]
    app.file_uploader(key="weights_file").set_value(both).run()
    click(app, translate("en", "weights.import"))
    assert [e.value for e in app.error] == []
    assert "theirs" in panel(app)
    done = translate("en", "weights.done", name="theirs", transform="Mel")
    assert [m.value.replace("\\", "") for m in app.success] == [done]
    assert not zoo.user_folder().exists()

    def visit(secret: str, **link: str) -> AppTest:
        monkeypatch.setattr(visitors, "cookie", lambda: secret)
        other = AppTest.from_file(str(APP), default_timeout=240)
        other.query_params.update(lang="en", example="rain", transform="mel", **link)
        return other.run()

    assert "theirs" in panel(visit("mine"))  # reloaded
    assert "theirs" not in panel(visit("yours"))
    mine = visit("mine")
    mine.button(key="open_weights").click().run()
    mine.button(key="remove_theirs").click().run()
    mine.button(key="remove").click().run()
    assert not mine.exception
    assert "theirs" not in panel(visit("mine"))


@pytest.mark.parametrize("language", ["zh", pytest.param("en", marks=pytest.mark.slow)])
def test_a_broken_file_is_refused_under_its_own_name(language: Language) -> None:
    app = open_window(language, "half_mel.pt", weights()[:5000])
    click(app, translate(language, "weights.import"))
    (line,) = [e.value.replace("\\", "") for e in app.error]
    assert line.startswith("half_mel.pt")
    assert "/" not in line.partition(":")[0]
    assert not zoo.user_folder().exists()


@pytest.mark.parametrize("language", ["zh", pytest.param("en", marks=pytest.mark.slow)])
def test_an_onnx_file_brings_its_card(language: Language, tmp_path: Path) -> None:
    classes = ("fado", "morna")
    make_checkpoint(tmp_path, "theirs", transform="mel", classes=classes, favourite="fado")
    network, card = ((tmp_path / f"theirs.{kind}").read_bytes() for kind in ("onnx", "json"))
    app = open_window(language, "theirs.onnx", network)
    click(app, translate(language, "weights.import"))
    assert [e.value for e in app.error if "theirs.onnx" in e.value.replace("\\", "")]
    both = [("theirs.json", card, "application/json"), ("theirs.onnx", network, "")]
    app.file_uploader(key="weights_file").set_value(both).run()
    click(app, translate(language, "weights.import"))
    assert zoo.find_one("theirs").card.classes == classes


def test_a_refused_file_does_not_stand_in_the_way_of_the_next(tmp_path: Path) -> None:
    app = open_window("en", "half_mel.pt", weights()[:5000])
    click(app, translate("en", "weights.import"))
    assert app.error
    both = [("half_mel.pt", weights()[:5000], ""), ("whole_mel.pt", weights(), "")]
    app.file_uploader(key="weights_file").set_value(both).run()
    app.text_area(key="weights_classes").set_value("fado, morna, samba").run()
    click(app, translate("en", "weights.import"))
    assert [e.value for e in app.error] == []
    assert "whole_mel" in panel(app)


def test_a_model_that_comes_after_its_window_was_closed_is_announced(tmp_path: Path) -> None:
    app = open_window("en", "late_mel.pt", weights())
    app.text_area(key="weights_classes").set_value("fado, morna, samba").run()
    click(app, translate("en", "weights.import"))
    app.session_state.page.dialog = None  # as Escape leaves it
    app.run()
    done = translate("en", "weights.done", name="late_mel", transform="Mel")
    assert [toast.value.replace("\\", "") for toast in app.toast] == [done]
    assert not app.run().toast


def test_a_card_loads_no_picture_from_outside(tmp_path: Path) -> None:
    image = "![](https://example.com/a.png)"
    make_checkpoint(
        zoo.user_folder(), "theirs", transform="mel", classes=("fado", "morna"),
        favourite="fado", backbone=image,
    )  # fmt: skip
    app = AppTest.from_file(str(APP), default_timeout=240)
    app.query_params.update(lang="en", example="rain", transform="mel")
    app.run()
    app.button(key="open_weights").click().run()
    assert any("theirs" in m.value for m in app.markdown)
    assert not [m.value for m in (*app.markdown, *app.caption) if image in m.value]


def test_the_window_promises_what_the_server_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert dashboard._OPTIONS["server_maxUploadSize"] == dashboard_weights._LARGEST_MB
    monkeypatch.setattr(config, "_config_options", None)
    config.get_config_options(force_reparse=True, options_from_flags={"server.maxUploadSize": 50})
    try:
        app = open_window("en", "late_mel.pt", weights())
        largest = {box.proto.max_upload_size_mb for box in app.get("file_uploader")}
        assert largest == {50}
        assert any("50 MB" in e.proto.body for e in app.get("html"))
    finally:
        config.get_config_options(force_reparse=True)
