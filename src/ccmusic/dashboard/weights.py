"""Import and removal of the user's own weights."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from ccmusic import zoo
from ccmusic.dashboard.compute import forget_models
from ccmusic.errors import CCMusicError, MissingExtraError
from ccmusic.texts import Language, translate

_KINDS = ("pt", "pth", "safetensors", "onnx", "json")
_LARGEST_MB = 1024
_PREPROCESSINGS = ("cqt", "mel", "ccmusic-cqt", "ccmusic-mel", "ccmusic-chroma")
_ACTIVATIONS = ("relu", "gelu", "silu", "hardswish", "tanh")


def weights_window(language: Language) -> None:
    """Draw the button, and what opens below it."""
    words = "".join(
        f'--upload-{part}: "{translate(language, f"weights.{part}", mb=_LARGEST_MB)}"; '
        for part in ("hint", "refused")
    )
    with st.popover(translate(language, "weights.open"), icon=":material/upload_file:"):
        st.html(f"<style>.st-key-weights {{ {words} }}</style>")
        with st.container(key="weights"):
            _window(language)


def _window(language: Language) -> None:
    st.markdown(translate(language, "weights.intro"))
    uploads = st.file_uploader(
        translate(language, "weights.file"),
        _KINDS,
        accept_multiple_files=True,
        key="weights_file",
        max_upload_size=_LARGEST_MB,
    )
    weights = next((u for u in uploads if not u.name.lower().endswith(".json")), None)
    card = next((u for u in uploads if u.name.lower().endswith(".json")), None)
    onnx = weights is not None and weights.name.lower().endswith(".onnx")
    guess = Path(weights.name).stem if weights else ""
    name = st.text_input(translate(language, "weights.name"), guess, key=f"weights_name_{guess}")
    options: dict[str, Any] = {} if onnx else _options(guess, language)
    ready = weights is not None and name != "" and (onnx or options["preprocessing"] is not None)
    if st.button(translate(language, "weights.import"), type="primary", disabled=not ready):
        assert weights is not None
        files = {_hidden_name(weights.name): weights.getvalue()}
        if onnx and card:
            files[_hidden_name(card.name)] = card.getvalue()
        try:
            with st.spinner(translate(language, "weights.working")):
                lines = _import(files, {"name": name, **options}, language)
        except CCMusicError as error:
            st.error(error.message(language).replace(_hidden_name(weights.name), weights.name))
        else:
            st.success(translate(language, "weights.done", name=name))
            st.markdown("\n".join(f"- {line}" for line in lines))
    _own(language)


def _options(guess: str, language: Language) -> dict[str, Any]:
    """Draw the options of a file without a card."""
    ending = guess.lower().rsplit("_", 1)[-1]
    preprocessing = st.selectbox(
        translate(language, "weights.recipe"),
        _PREPROCESSINGS,
        index=_PREPROCESSINGS.index(ending) if ending in _PREPROCESSINGS else None,
        key=f"weights_recipe_{guess}",
        placeholder=translate(language, "weights.choose"),
        help=translate(language, "weights.recipe_help"),
    )
    classes = st.text_area(
        translate(language, "weights.classes"),
        key="weights_classes",
        help=translate(language, "weights.classes_help"),
    )
    left, middle, right = st.columns(3)
    activation = left.selectbox(
        translate(language, "weights.activation"),
        _ACTIVATIONS,
        key="weights_activation",
        help=translate(language, "weights.activation_help"),
    )
    default_value = translate(language, "weights.by_recipe")
    mean, std = (
        column.text_input(
            translate(language, f"weights.{part}"),
            placeholder=default_value,
            key=f"weights_{part}",
            help=translate(language, "weights.normalisation_help"),
        )
        for column, part in ((middle, "mean"), (right, "std"))
    )
    return {
        "preprocessing": preprocessing,
        "classes": classes.replace("\n", ",") + "," if classes.strip() else None,
        "activation": activation,
        "mean": mean or None,
        "std": std or None,
    }


def _hidden_name(name: str) -> str:
    """Name of an uploaded file on disk: only the kind comes from the user."""
    kind = name.lower().rsplit(".", 1)[-1]
    return f"upload.{kind if kind in _KINDS else 'pt'}"


def _import(
    files: Mapping[str, bytes], options: Mapping[str, Any], language: Language
) -> list[str]:
    try:
        from ccmusic.workshop.importer import import_weights
    except ImportError:
        raise MissingExtraError("importing weights", "torch") from None
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        try:
            imported = import_weights(Path(folder) / next(iter(files)), **options)
        except CCMusicError as error:
            raise _without_folder(error, folder) from None
    forget_models()
    return imported.message(language)


def _without_folder(error: CCMusicError, folder: str) -> CCMusicError:
    """Remove the temporary folder from the file names in an error."""
    values = getattr(error, "values", {})
    for key, value in values.items():
        if str(value).startswith(folder):
            values[key] = Path(str(value)).name
    return error


def _own(language: Language) -> None:
    """Checkpoints of the user's, each with a button to remove it."""
    folder = zoo.user_folder()
    own = [c for c in zoo.scan()[0] if c.path.parent == folder]
    if not own:
        return
    st.divider()
    st.markdown(f"**{translate(language, 'weights.own')}**")
    for checkpoint in own:
        card = checkpoint.card
        left, right = st.columns([3, 1], vertical_alignment="center")
        left.markdown(f"`{card.name}` · {card.backbone} · {card.transform} · {len(card.classes)}")
        if right.button(translate(language, "weights.remove"), key=f"remove_{card.name}"):
            zoo.remove(card.name)
            forget_models()
            st.rerun()
