"""The page: choose a recording, hear it, see it, and watch the models make up their minds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ccmusic.analysis import Analysis
from ccmusic.attention import Attention, attend
from ccmusic.audio import SECONDS, SUFFIXES, Clip
from ccmusic.card import ModelCard
from ccmusic.dashboard.examples import find_examples
from ccmusic.dashboard.figures import (
    attention_figure,
    bars_figure,
    genre_colours,
    spectrogram_figure,
    timeline_figure,
)
from ccmusic.dashboard.hearing import (
    Hearing,
    Piece,
    faulty_checkpoints,
    has_models,
    hear,
    listen,
    look,
    open_panel,
)
from ccmusic.dashboard.weights import weights_window
from ccmusic.errors import CCMusicError, CheckpointError
from ccmusic.genres import genre_name
from ccmusic.panel import Panel, Verdict
from ccmusic.spectrogram import Spectrogram, TransformName
from ccmusic.texts import LANGUAGES, Language, catalogue, say
from ccmusic.timeline import Timeline

_HERE = Path(__file__).parent
_UPLOADS = [suffix.removeprefix(".") for suffix in SUFFIXES]
_LANGUAGE_NAMES = {"zh": "中文", "en": "English"}
_TRANSFORM_NAMES: dict[TransformName, str] = {"cqt": "CQT", "mel": "Mel", "chroma": "Chroma"}
_BACKBONE_NAMES = {
    "vgg19_bn": "VGG19-BN",
    "resnet50": "ResNet50",
    "densenet121": "DenseNet121",
    "efficientnet_b0": "EfficientNet-B0",
    "mobilenet_v3_large": "MobileNetV3",
}
_STILL = {"staticPlot": True}
_HOPS = (2, 5, 10)
_STEP = 0.1  # seconds by which the window moves
_QUIET = {"displayModeBar": False}


def page() -> None:
    """Draw everything, from the top; Streamlit calls this anew after every touch."""
    st.set_page_config("CCMusic", str(_HERE / "icon.svg"), layout="wide")
    st.html(_HERE / "style.css")
    language = _header()
    left, right = st.columns([1, 2], gap="large")
    with left:
        piece = _choose_piece(language)
        transform = _choose_transform(language)
        weights_window(language)
    _write_link(language, transform)
    panel: Panel | CheckpointError
    try:
        panel = open_panel(transform)  # first, so that models load while the rest is drawn
    except CheckpointError as error:
        panel = error
    if piece is None:
        right.info(say(language, "page.begin"))
        return
    try:
        start = _window(piece)
        clip, spectrogram = listen(piece, start), look(piece, transform, start)
    except CCMusicError as error:
        right.error(_plain(error.say(language)))
        return
    # Begun before the picture is drawn, so that the models think meanwhile.
    hearing = hear(piece, transform, start) if isinstance(panel, Panel) else None
    with left:
        _facts(piece, clip, language)
    with right:
        _picture(piece, clip, spectrogram, language)
    if isinstance(panel, CheckpointError):
        st.info(_sentence(panel.say(language)))
    for problem in faulty_checkpoints():
        st.warning(_plain(problem.say(language)))
    if hearing:
        _verdicts(hearing, language)
    if isinstance(panel, Panel):
        _whole(piece, clip, transform, panel, language)


def _header() -> Language:
    """Title and language switch."""
    state = st.session_state
    if "language" not in state:
        asked, browser = st.query_params.get("lang"), st.context.locale or "zh"
        by_browser = "zh" if browser.startswith("zh") else "en"
        state.language = asked if asked in LANGUAGES else by_browser
    language: Language = state.language
    with st.container(
        key="header",
        horizontal=True,
        horizontal_alignment="distribute",
        vertical_alignment="center",
    ):
        with st.container(width="content", gap=None):
            st.title("CCMusic", anchor=False)
            st.markdown(say(language, "page.tagline"))
        st.segmented_control(
            say(language, "page.language"),
            LANGUAGES,
            format_func=_LANGUAGE_NAMES.__getitem__,
            key="language",
            required=True,
            label_visibility="collapsed",
        )
    # Streamlit's uploader speaks English only; the style sheet shows these words in its stead.
    hint, button = (say(language, f"page.upload_{part}") for part in ("hint", "button"))
    st.html(f'<style>:root {{ --upload-hint: "{hint}"; --upload-button: "{button}"; }}</style>')
    return language


def _choose_piece(language: Language) -> Piece | None:
    """An example, or the upload: whichever was chosen last."""
    state, examples = st.session_state, find_examples()
    if "example" not in state:
        asked = st.query_params.get("example")
        state.example = asked if asked in examples else next(iter(examples), None)
    # Streamlit remembers a choice by its label, and labels change with the language.
    key = f"example_{language}"

    def prefer_upload() -> None:
        state.example = state[key] = None

    if examples:
        state.example = st.pills(
            say(language, "page.examples"),
            list(examples),
            format_func=lambda stem: _example_title(stem, language),
            default=state.example,
            key=key,
            wrap=True,
        )
    upload = st.file_uploader(
        say(language, "page.upload"), _UPLOADS, key="upload", on_change=prefer_upload
    )
    if state.example is not None:
        path = examples[state.example]
        return Piece(path.name, _example_title(path.stem, language), path.read_bytes())
    return Piece(upload.name, upload.name, upload.getvalue()) if upload else None


def _example_title(stem: str, language: Language) -> str:
    return catalogue(language).get(f"example.{stem}", stem.replace("_", " ").title())


def _choose_transform(language: Language) -> TransformName:
    state = st.session_state
    # Nothing of ours looks at chroma: it is offered to those who brought a model that does.
    offered = [t for t in _TRANSFORM_NAMES if t != "chroma" or has_models(t)]
    if state.get("transform") not in offered:
        asked = st.query_params.get("transform")
        state.transform = asked if asked in offered else "cqt"
    st.segmented_control(
        say(language, "page.transform"),
        offered,
        format_func=_TRANSFORM_NAMES.__getitem__,
        key="transform",
        required=True,
        help=say(language, "page.transform_help"),
    )
    transform: TransformName = state.transform
    return transform


def _write_link(language: Language, transform: TransformName) -> None:
    """Keep the address such that it leads back to this view."""
    link = {"lang": language, "transform": transform}
    if st.session_state.example:
        link["example"] = st.session_state.example
    st.query_params.from_dict(link)


def _facts(piece: Piece, clip: Clip, language: Language) -> None:
    """What there is to hear, and what to know about the recording."""
    facts = clip.facts
    st.audio(piece.content, alt=piece.title)
    channels = {1: "page.mono", 2: "page.stereo"}.get(facts.channels, "page.channels")
    parts = [facts.codec]
    if facts.bit_rate:
        parts.append(say(language, "page.bit_rate", kbps=facts.bit_rate / 1000))
    parts += [
        say(language, "page.sample_rate", khz=facts.sample_rate / 1000),
        say(language, channels, channels=facts.channels),
        say(language, "page.duration", seconds=facts.duration),
    ]
    window = say(
        language,
        "page.looped" if facts.looped else "page.window",
        start=facts.window_start,
        end=facts.window_end,
    )
    st.caption(f"{_plain(' · '.join(parts))}  \n{_plain(window)}")
    if facts.duration > SECONDS:
        st.session_state.setdefault(_window_key(piece), facts.window_start)
        st.slider(
            say(language, "page.move_window"),
            0.0,
            facts.duration - SECONDS,
            step=_STEP,
            format="%.1f",
            key=_window_key(piece),
        )


def _window_key(piece: Piece) -> str:
    return f"window_{piece.key[1][:16]}"


def _window(piece: Piece) -> float | None:
    """Second to which the window was moved; None while it lies in the middle."""
    start: float | None = st.session_state.get(_window_key(piece))
    if start is None or abs(start - listen(piece).facts.window_start) < _STEP:
        return None
    return start


def _picture(piece: Piece, clip: Clip, spectrogram: Spectrogram, language: Language) -> None:
    st.markdown(f"##### {_plain(piece.title)}")
    st.plotly_chart(
        spectrogram_figure(spectrogram, language, start=clip.facts.window_start),
        config=_buttons(language),
        key="spectrogram",
        alt=say(language, "page.alt_spectrogram", name=piece.title),
    )


def _buttons(language: Language) -> dict[str, Any]:
    """Plotly's buttons, few, and in the language of the page."""
    words = {
        "Zoom": say(language, "figure.zoom"),
        "Pan": say(language, "figure.pan"),
        "Reset axes": say(language, "figure.reset"),
        "Download plot as a PNG": say(language, "figure.download"),
    }
    return {
        "displaylogo": False,
        "modeBarButtons": [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
        "locale": "page",
        "locales": {"page": {"dictionary": words, "format": {}}},
    }


def _verdicts(hearing: Hearing, language: Language) -> None:
    """The panel's opinion above, and each model's as it comes."""
    title, chooser = st.columns([2, 1], vertical_alignment="bottom")
    title.subheader(say(language, "page.verdicts"), anchor=False)
    top_k = chooser.slider(say(language, "page.top_k"), 1, 5, 3, key="top_k")
    headline = st.empty()
    slots: dict[str, DeltaGenerator] = {}
    with st.container(key="cards"):
        for card in hearing.cards:
            with st.container(border=True):
                st.markdown(f"**{_plain(_model_name(card))}**")
                slots[card.name] = st.empty()

    if not hearing.finished:
        for slot in slots.values():
            slot.caption(say(language, "page.waiting"))
        progress = {"models": len(hearing.cards)}
        headline.info(say(language, "page.progress", done=0, **progress))
        for done, verdict in enumerate(hearing.verdicts(), 1):
            colours = genre_colours([verdict])
            _verdict(slots[verdict.card.name], verdict, colours, top_k, language, stage="first")
            headline.info(say(language, "page.progress", done=done, **progress))
    try:
        analysis = hearing.result()
    except CCMusicError as error:
        headline.error(_plain(error.say(language)))
        return
    # Only now is it known which genres are someone's first choice: all cards share the colours.
    colours = genre_colours(list(analysis.verdicts.values()))
    _headline(headline, analysis, colours, top_k, language)
    for name, verdict in analysis.verdicts.items():
        _verdict(slots[name], verdict, colours, top_k, language, stage="final")
    _why(analysis, language)


def _model_name(card: ModelCard) -> str:
    """Usual name of a shipped model; others are called what their owner calls them."""
    if card.name != f"{card.backbone}_{card.transform}":
        return card.name
    return _BACKBONE_NAMES.get(card.backbone, card.name)


def _verdict(
    slot: DeltaGenerator,
    verdict: Verdict,
    colours: Mapping[str, str],
    top_k: int,
    language: Language,
    *,
    stage: str,
) -> None:
    if verdict.error:
        slot.error(_plain(verdict.error.say(language)))
        return
    name = _model_name(verdict.card)
    with slot.container():
        st.plotly_chart(
            bars_figure(verdict.top(top_k), colours, language),
            config=_STILL,
            key=f"{stage}_{verdict.card.name}",
            alt=say(language, "page.alt_bars", name=name),
        )
        st.caption(
            say(
                language,
                "page.model_facts",
                latency=verdict.latency_ms,
                millions=verdict.card.parameters / 1e6,
            )
        )
        advice = verdict.advice(language, name)
        if advice:
            st.caption(_sentence(advice))
        if verdict.votes:
            votes = ", ".join(
                f"{genre_name(genre, language)} {n}" for genre, n in verdict.votes.items()
            )
            st.caption(say(language, "page.votes", votes=_plain(votes)))


def _why(analysis: Analysis, language: Language) -> None:
    """Every model's map side by side, on one scale."""
    given = {n: v for n, v in analysis.verdicts.items() if v.error is None}
    if not given:
        return
    title, chooser = st.columns([2, 1], vertical_alignment="bottom")
    title.subheader(say(language, "attention.title"), anchor=False)
    known = dict.fromkeys(c for v in given.values() for c in v.card.classes)
    genre = chooser.selectbox(
        say(language, "attention.genre"),
        [None, *sorted(known, key=lambda genre: -analysis.mean.get(genre, 0.0))],
        format_func=lambda genre: (
            genre_name(genre, language) if genre else say(language, "attention.first")
        ),
        key=f"map_genre_{language}",
        help=say(language, "attention.help"),
    )
    pictures = analysis.pictures
    maps = {
        name: attend(v, pictures[v.card.recipe][len(pictures[v.card.recipe]) // 2], genre)
        for name, v in given.items()
    }
    strongest = max((float(m.coarse.max()) for m in maps.values() if m), default=0.0)
    start = analysis.clip.facts.window_start
    with st.container(key="maps"):
        for name, attention in maps.items():
            card = given[name].card
            with st.container(border=True):
                st.markdown(f"**{_plain(_model_name(card))}**")
                if attention is None:
                    key = "attention.none" if given[name].maps is None else "attention.unknown"
                    st.caption(say(language, key))
                    continue
                # Slices know their place in the piece, a clip does not.
                begin = 0.0 if card.recipe.slice_seconds else start
                st.plotly_chart(
                    attention_figure(attention, language, strongest=strongest, start=begin),
                    config=_QUIET,
                    key=f"map_{name}",
                    alt=say(language, "page.alt_attention", name=_model_name(card)),
                )
                st.caption(_plain(_where(attention, begin, language)))


def _where(attention: Attention, start: float, language: Language) -> str:
    """The strongest region in words."""
    genre, region = genre_name(attention.genre, language), attention.region
    if region is None:
        return say(language, "attention.nowhere", genre=genre)
    placed = replace(region, start=region.start + start, end=region.end + start)
    return say(language, "attention.strongest", genre=genre, region=placed.say(language))


def _whole(
    piece: Piece, clip: Clip, transform: TransformName, panel: Panel, language: Language
) -> None:
    """Genre over time: computed on demand, kept as far as it came when it is stopped."""
    if clip.facts.duration < 1.5 * SECONDS:
        return
    title, chooser, button = st.columns([3, 1, 1], vertical_alignment="bottom")
    title.subheader(say(language, "timeline.title"), anchor=False)
    hop = chooser.selectbox(
        say(language, "timeline.hop"), _HOPS, index=1, key="hop", format_func=lambda s: f"{s} s"
    )
    courses = st.session_state.setdefault("courses", {})
    course = courses.setdefault((piece.key, transform, hop, tuple(c.name for c in panel.cards)), {})
    place = st.empty()
    if button.button(say(language, "timeline.begin"), key="begin_timeline"):
        # Any touch ends a running script, this button's too; what was found stays.
        place.button(say(language, "timeline.cancel"), key="cancel_timeline")
        bar = st.progress(0.0, say(language, "timeline.working"))
        timeline = Timeline(piece.open(), hop=hop, transform=transform, panel=panel)
        course.clear()
        for done, analysis in enumerate(timeline, 1):
            course[analysis.clip.facts.window_start] = analysis.mean
            bar.progress(done / len(timeline), say(language, "timeline.working"))
        bar.empty()
        place.empty()
    if not course:
        st.caption(say(language, "timeline.hint"))
        return

    def go_there() -> None:
        points = st.session_state.timeline.selection.points
        if points:
            last = clip.facts.duration - SECONDS
            st.session_state[_window_key(piece)] = min(max(0.0, points[0]["x"] - SECONDS / 2), last)

    st.plotly_chart(
        timeline_figure(course, language),
        config=_QUIET,
        key="timeline",
        on_select=go_there,
        selection_mode="points",
        alt=say(language, "timeline.title"),
    )
    st.caption(say(language, "timeline.click"))


def _headline(
    slot: DeltaGenerator,
    analysis: Analysis,
    colours: Mapping[str, str],
    top_k: int,
    language: Language,
) -> None:
    """What the panel says as one: the sentence and the ensemble's mean."""
    agreement = analysis.agreement
    if agreement is None:
        slot.error(say(language, "page.no_verdict"))
        return
    verdicts = analysis.verdicts.values()
    ranking = sorted(analysis.mean.items(), key=lambda item: -item[1])[:top_k]
    with slot.container(key="headline"):
        sentence, mean = st.columns([2, 1], gap="large", vertical_alignment="center")
        with sentence:
            st.markdown(f"### {_sentence(agreement.say(language))}")
            st.caption(
                say(
                    language,
                    "page.divergence",
                    divergence=agreement.divergence,
                    seconds=analysis.elapsed_ms / 1000,
                )
            )
            apart = len([v for v in verdicts if not v.error]) - agreement.models
            if apart:
                st.caption(say(language, "page.apart", models=agreement.models, apart=apart))
        with mean:
            st.caption(say(language, "page.mean"))
            st.plotly_chart(
                bars_figure(ranking, colours, language),
                config=_STILL,
                key="mean",
                alt=say(language, "page.alt_bars", name=say(language, "page.mean")),
            )


def _plain(text: str) -> str:
    """Text that Markdown leaves as it is: file names are anything."""
    return re.sub(r"([\\`*_{}\[\]()<>#+.!|~$:&-])", r"\\\1", text)


def _sentence(text: str) -> str:
    """Plain text with a capital; the catalogue's sentences begin small, for the command line."""
    return _plain(text[0].upper() + text[1:])


page()
