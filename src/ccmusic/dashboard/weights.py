"""The window through which one's own weights come into the panel, and leave it again."""

from __future__ import annotations

import tempfile
from pathlib import Path

import streamlit as st

from ccmusic import zoo
from ccmusic.dashboard.hearing import forget_models
from ccmusic.errors import CCMusicError, MissingExtraError
from ccmusic.texts import Language, say

_KINDS = ("pt", "pth", "safetensors")
_LARGEST_MB = 1024
_RECIPES = ("cqt", "mel", "ccmusic-cqt", "ccmusic-mel", "ccmusic-chroma")
_ACTIVATIONS = ("relu", "gelu", "silu", "hardswish", "tanh")


def weights_window(language: Language) -> None:
    """Draw the button, and what opens below it."""
    hint = say(language, "weights.hint", mb=_LARGEST_MB)
    with st.popover(say(language, "weights.open"), icon=":material/upload_file:"):
        st.html(f'<style>.st-key-weights {{ --upload-hint: "{hint}"; }}</style>')
        with st.container(key="weights"):
            _window(language)


def _window(language: Language) -> None:
    st.markdown(say(language, "weights.intro"))
    upload = st.file_uploader(
        say(language, "weights.file"), _KINDS, key="weights_file", max_upload_size=_LARGEST_MB
    )
    guess = Path(upload.name).stem if upload else ""
    ending = guess.lower().rsplit("_", 1)[-1]
    name = st.text_input(say(language, "weights.name"), guess, key=f"weights_name_{guess}")
    recipe = st.selectbox(
        say(language, "weights.recipe"),
        _RECIPES,
        index=_RECIPES.index(ending) if ending in _RECIPES else None,
        key=f"weights_recipe_{guess}",
        placeholder=say(language, "weights.choose"),
        help=say(language, "weights.recipe_help"),
    )
    classes = st.text_area(
        say(language, "weights.classes"),
        key="weights_classes",
        help=say(language, "weights.classes_help"),
    )
    activation = st.selectbox(
        say(language, "weights.activation"),
        _ACTIVATIONS,
        key="weights_activation",
        help=say(language, "weights.activation_help"),
    )
    ready = upload is not None and recipe is not None and name != ""
    if st.button(say(language, "weights.import"), type="primary", disabled=not ready):
        assert upload is not None
        names = ",".join(classes.replace("\n", ",").split(",")) if classes.strip() else None
        try:
            lines = _import(upload.getvalue(), name, names, recipe, activation, language)
        except CCMusicError as error:
            st.error(error.say(language).replace(_hidden_name(), upload.name))
        else:
            st.success(say(language, "weights.done", name=name))
            st.markdown("\n".join(f"- {line}" for line in lines))
    _own(language)


def _hidden_name() -> str:
    """What a file is called on the disk: nothing that its owner could choose."""
    return "weights.upload"


def _import(
    content: bytes,
    name: str,
    classes: str | None,
    recipe: str | None,
    activation: str,
    language: Language,
) -> list[str]:
    try:
        from ccmusic.workshop.importer import import_weights
    except ImportError:
        raise MissingExtraError("importing weights", "torch") from None
    with tempfile.TemporaryDirectory() as folder, st.spinner(say(language, "weights.working")):
        path = Path(folder) / _hidden_name()
        path.write_bytes(content)
        try:
            imported = import_weights(
                path,
                name=name,
                classes=classes,
                recipe=recipe,
                activation=activation,  # type: ignore[arg-type]
            )
        except CCMusicError as error:
            raise _without_folder(error, folder) from None
    forget_models()
    return imported.say(language)


def _without_folder(error: CCMusicError, folder: str) -> CCMusicError:
    """Errors name files; a temporary folder is nobody's business."""
    values = getattr(error, "values", {})
    for key, value in values.items():
        if isinstance(value, Path) and str(value).startswith(folder):
            values[key] = value.name
    return error


def _own(language: Language) -> None:
    """Checkpoints of the user's, each with a button to remove it."""
    folder = zoo.user_folder()
    own = [c for c in zoo.scan()[0] if c.path.parent == folder]
    if not own:
        return
    st.divider()
    st.markdown(f"**{say(language, 'weights.own')}**")
    for checkpoint in own:
        card = checkpoint.card
        left, right = st.columns([3, 1], vertical_alignment="center")
        left.markdown(f"`{card.name}` · {card.backbone} · {card.transform} · {len(card.classes)}")
        if right.button(say(language, "weights.remove"), key=f"remove_{card.name}"):
            zoo.remove(card.name)
            forget_models()
            st.rerun()
