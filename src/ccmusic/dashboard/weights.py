"""Import and removal of the user's own weights."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import streamlit as st
from streamlit.runtime.uploaded_file_manager import DeletedFile

from ccmusic.dashboard import dialog
from ccmusic.dashboard.compute import forget_models
from ccmusic.dashboard.markdown import plain, told
from ccmusic.dashboard.markup import style_words
from ccmusic.dashboard.models import import_model, others_come, own_models, remove_model
from ccmusic.dashboard.state import state
from ccmusic.dashboard.visitors import largest_upload, release_upload
from ccmusic.errors import CCMusicError
from ccmusic.options import Activation, ImportOptions
from ccmusic.spectrogram import TRANSFORM_TITLES
from ccmusic.texts import Language, translate

if TYPE_CHECKING:
    from ccmusic.workshop.importer import ImportReport

_KINDS = ("pt", "pth", "safetensors", "onnx", "json")
_LARGEST_MB = 1024  # as large as the server takes
_PREPROCESSINGS = ("cqt", "mel", "ccmusic-cqt", "ccmusic-mel", "ccmusic-chroma")
_ACTIVATIONS = get_args(Activation)


def weights_window(language: Language) -> None:
    """Draw the button, and the window that it opens."""
    page = state()
    if not dialog.is_open("weights"):
        if page.imported:  # the window was closed meanwhile
            st.toast(plain(_done(page.imported, language)), icon=":material/check:")
        for file_id in page.weights_held:
            release_upload()(file_id)
        page.imported, page.leaving, page.weights_held = None, None, ()
    label = translate(language, "weights.open")
    dialog.opener("weights", label, ":material/upload_file:")
    dialog.window("weights", label, partial(_window, language))


def _window(language: Language) -> None:
    mb = largest_upload(_LARGEST_MB)
    parts = ("hint", "refused")
    words = {f"upload-{part}": translate(language, f"weights.{part}", mb=mb) for part in parts}
    st.html(style_words(".st-key-weights", words))
    _own(language)
    if imported := state().imported:
        _outcome(imported, language)
        return
    st.markdown(translate(language, "weights.intro"))
    if others_come():
        st.markdown(translate(language, "weights.private"))
    with st.container(key="weights"):
        chosen = st.file_uploader(
            translate(language, "weights.file"),
            _KINDS,
            accept_multiple_files=True,
            key="weights_file",
            max_upload_size=mb,
        )
    uploads = [upload for upload in chosen if not isinstance(upload, DeletedFile)]
    state().weights_held = [upload.file_id for upload in uploads]
    # The last one of each: who is refused adds another.
    weights = next((u for u in reversed(uploads) if not _is_card(u.name)), None)
    card = next((u for u in reversed(uploads) if _is_card(u.name)), None)
    onnx = weights is not None and weights.name.lower().endswith(".onnx")
    guess = Path(weights.name).stem if weights else ""
    name = st.text_input(translate(language, "weights.name"), guess, key=f"weights_name_{guess}")
    options: dict[str, Any] = {} if onnx else _options(guess, language)
    ready = weights is not None and name != "" and (onnx or options["preprocessing"] is not None)
    outcome = st.container()  # above the button, where it is seen
    if st.button(translate(language, "weights.import"), type="primary", disabled=not ready):
        assert weights is not None
        files = {_hidden_name(weights.name): weights.getvalue()}
        if onnx and card:
            files[_hidden_name(card.name)] = card.getvalue()
        try:
            with outcome, st.spinner(translate(language, "weights.working")):
                state().imported = _import(files, ImportOptions(name=name, **options))
        except CCMusicError as error:
            said = told(error, language).replace(_hidden_name(weights.name), weights.name)
            outcome.error(plain(said))
        else:
            st.rerun()  # the whole page, whose panel it has joined


def _outcome(imported: ImportReport, language: Language) -> None:
    """What has just been imported, in the place of the form."""

    def again() -> None:
        state().imported = None

    st.success(plain(_done(imported, language)))
    st.markdown("\n".join(f"- {plain(line)}" for line in imported.message(language)))
    st.button(translate(language, "weights.another"), on_click=again)


def _done(imported: ImportReport, language: Language) -> str:
    card = imported.checkpoint.card
    values = {"name": card.name, "transform": TRANSFORM_TITLES[card.transform]}
    return translate(language, "weights.done", **values)


def _is_card(name: str) -> bool:
    return name.lower().endswith(".json")


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


def _import(files: Mapping[str, bytes], options: ImportOptions) -> ImportReport:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        imported = import_model(Path(folder) / next(iter(files)), options)
    forget_models()
    return imported


def _own(language: Language) -> None:
    """The visitor's models, each with a button to remove it, which asks back."""
    page, own = state(), own_models()
    if not own:
        return
    st.markdown(f"**{translate(language, 'weights.own')}**")
    for checkpoint in own:
        card = checkpoint.card
        left, right = st.columns([3, 1], vertical_alignment="center")
        facts = plain(f"{card.backbone} · {card.transform} · {len(card.classes)}")
        left.markdown(f"`{card.name}` · {facts}")

        def ask(name: str | None) -> None:
            page.leaving = name

        if page.leaving != card.name:
            remove = translate(language, "weights.remove")
            key = f"remove_{card.name}"
            right.button(remove, key=key, on_click=ask, args=(card.name,))
            continue
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(plain(translate(language, "weights.ask_remove", name=card.name)))
            st.button(translate(language, "weights.keep"), key="keep", on_click=ask, args=(None,))
            if st.button(translate(language, "weights.remove"), key="remove", type="primary"):
                remove_model(card.name)
                forget_models()
                page.leaving = page.imported = None
                st.rerun()
    st.divider()
