"""Pipeline view: every step from the file to the probabilities, each with a download."""

from __future__ import annotations

import csv
import io
import mimetypes
from typing import cast

import numpy as np
import numpy.typing as npt
import streamlit as st
from PIL import Image

from ccmusic.analysis import Analysis
from ccmusic.audio import SAMPLE_RATE, Envelope
from ccmusic.dashboard.background import Background
from ccmusic.dashboard.compute import open_panel
from ccmusic.dashboard.features import features, planes
from ccmusic.dashboard.markdown import plain, told
from ccmusic.dashboard.media import offer
from ccmusic.dashboard.player import sixteen, wav
from ccmusic.dashboard.signal_figures import (
    Figure,
    show_figure,
    spectrogram_figure,
    waveform_figure,
)
from ccmusic.errors import CCMusicError
from ccmusic.genres import genre_name
from ccmusic.picture import Picture
from ccmusic.plot import png
from ccmusic.report import info_line, window_line
from ccmusic.spectrogram import TransformChoice
from ccmusic.texts import Language, translate
from ccmusic.verdict import Verdict

_PICTURE_WIDTH = 448  # twice the usual 224 pixels: every one can be seen


def pipeline(
    analysis: Analysis, whole: Background[None, Envelope], language: Language, *, covered: bool
) -> None:
    """Draw the stages one below the other, for a model of the user's choice.

    Parameters
    ----------
    covered
        Leave the last stage out, which tells the verdict.
    """
    st.subheader(translate(language, "way.title"), anchor=False)
    given = {n: v for n, v in analysis.verdicts.items() if v.error is None}
    if not given:
        st.info(plain(analysis.message(language)))
        return
    both = analysis.transform == "both"
    name = st.selectbox(
        translate(language, "way.model"),
        list(given),
        format_func=lambda name: given[name].card.title(with_transform=both),
        key=f"way_model_{analysis.transform}",
    )
    verdict = given[name]
    slices = analysis.pictures[verdict.card.preprocessing]
    picture = slices[len(slices) // 2]
    _sound(analysis, whole, language)
    _drawing(analysis, picture, language)
    _stage(language, "features", "receptive_field")
    known = {
        c.card.name: c for c in open_panel(cast("TransformChoice", analysis.transform)).checkpoints
    }
    features(
        {n: known[n] for n in (name, *given) if n in known},
        {n: analysis.picture(n) for n in given},
        language,
        with_transform=both,
    )
    if covered:
        st.caption(translate(language, "vote.help"))
    else:
        _prediction(verdict, language)


def _stage(language: Language, key: str, *terms: str, **values: object) -> None:
    """Draw a heading and a sentence; the terms of the field are explained in a tooltip."""
    st.markdown(f"#### {translate(language, f'way.{key}')}")
    explained = "\n\n".join(translate(language, f"term.{term}") for term in terms)
    st.caption(plain(translate(language, f"way.{key}_is", **values)), help=explained or None)


def _download(name: str, content: bytes) -> None:
    mime = mimetypes.guess_type(name)[0] or "application/octet-stream"
    offer(name, content, file_name=name, mime=mime, key=f"way_{name}", type="tertiary")


def _sound(analysis: Analysis, whole: Background[None, Envelope], language: Language) -> None:
    clip, info = analysis.clip, analysis.clip.info

    def draw(figure: Figure, key: str) -> None:
        word = translate(language, "figure.waveform")
        show_figure(figure, language, analysis.file, word, key=key, alt=word)

    _stage(
        language,
        "decoded",
        facts=info_line(clip, language),
        window=window_line(clip, language),
    )
    try:
        draw(waveform_figure(whole.result(), language, window=info), "way_decoded")
    except CCMusicError as error:
        st.info(plain(told(error, language)))
    _stage(
        language, "mono", channels=info.channels, samples=len(clip.original), rate=info.sample_rate
    )
    draw(waveform_figure(clip.envelope(), language), "way_mono")
    _download("mono.wav", wav(sixteen(clip.original), info.sample_rate))
    key = "resampled_looped" if info.looped else "resampled"
    nyquist = SAMPLE_RATE / 2
    _stage(language, key, samples=len(clip.samples), rate=SAMPLE_RATE, nyquist=nyquist)
    resampled = Envelope.of(clip.samples, SAMPLE_RATE, info.window_start)
    draw(waveform_figure(resampled, language), "way_resampled")
    _download("resampled.wav", wav(sixteen(clip.samples), SAMPLE_RATE))
    _download("resampled.npy", _npy(clip.samples))


def _drawing(analysis: Analysis, picture: Picture, language: Language) -> None:
    spectrogram, preprocessing = picture.spectrogram, picture.preprocessing
    n_bins, n_frames = spectrogram.values.shape
    start = 0.0 if preprocessing.slice_seconds else analysis.clip.info.window_start
    _stage(
        language,
        f"spectrogram_{spectrogram.transform}",
        spectrogram.transform,
        "decibel",
        n_bins=n_bins,
        n_frames=n_frames,
        hop=preprocessing.transform.hop_length,
        milliseconds=1000
        * preprocessing.transform.hop_length
        / preprocessing.transform.sample_rate,
    )
    turned = preprocessing.orientation == "pitch_along_x"
    figure = spectrogram_figure(spectrogram, language, start=start, turned=turned, height=420)
    alt = translate(language, "page.alt_spectrogram", name=spectrogram.transform)
    show_figure(
        figure, language, analysis.file, spectrogram.transform, key="way_spectrogram", alt=alt
    )
    _download("spectrogram.npy", _npy(spectrogram.values))
    logarithm = picture.logarithm
    height, width = picture.scaled.shape
    _stage(
        language,
        f"scaled_{preprocessing.levels}",
        lowest=logarithm.min(),
        highest=logarithm.max(),
        floor=preprocessing.log_floor,
        reference=preprocessing.reference or translate(language, "way.loudest"),
        width=width,
        height=height,
    )
    shown = round(_PICTURE_WIDTH * width / max(height, width))
    st.image(picture.scaled, width=shown, output_format="PNG", alt=alt)
    _download("logarithm.npy", _npy(logarithm))
    _download("scaled.png", png(Image.fromarray(picture.scaled)))
    if preprocessing.resizing == "bilinear":
        _stage(language, "pixels", size=preprocessing.size, mean=picture.pixels.mean())
        alt = translate(language, "report.picture")
        st.image(picture.pixels, width=_PICTURE_WIDTH, output_format="PNG", alt=alt)
        _download("pixels.png", png(Image.fromarray(picture.pixels)))
    _stage(
        language,
        "input" if preprocessing.scaling == "minmax" else "input_levels",
        shape=" × ".join(map(str, picture.input.shape)),
        mean=preprocessing.mean,
        std=preprocessing.std,
        lowest=picture.input.min(),
        highest=picture.input.max(),
    )
    planes(picture, language)
    _download("input.npy", _npy(picture.input))


def _prediction(verdict: Verdict, language: Language) -> None:
    card = verdict.card
    assert verdict.logits is not None
    terms, name = ("logit", "temperature"), card.title()
    _stage(language, "probabilities", *terms, name=name, temperature=card.temperature)
    columns = ("genre", "logit", "divided", "probability")
    rows = [
        (genre, float(logit), float(logit) / card.temperature, verdict.probabilities[genre])
        for genre, logit in zip(card.classes, verdict.logits, strict=True)
    ]
    rows.sort(key=lambda row: -row[3])
    words = [translate(language, f"way.{column}") for column in columns]
    st.dataframe(
        [
            dict(zip(words, (genre_name(g, language), *scores, 100 * share), strict=True))
            for g, *scores, share in rows
        ],
        hide_index=True,
        key="way_probabilities",
        column_config={
            words[1]: st.column_config.NumberColumn(format="%.3f"),
            words[2]: st.column_config.NumberColumn(format="%.3f"),
            words[3]: st.column_config.ProgressColumn(format="%.0f%%", min_value=0, max_value=100),
        },
    )
    _download("verdict.csv", _csv(columns, rows))


def _npy(values: npt.NDArray[np.floating]) -> bytes:
    memory = io.BytesIO()
    np.save(memory, values)
    return memory.getvalue()


def _csv(columns: tuple[str, ...], rows: list[tuple[str, float, float, float]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    return text.getvalue().encode()
