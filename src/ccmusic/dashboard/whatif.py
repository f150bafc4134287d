"""What if: the sound is edited, judged again, and stands beside what it was before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from html import escape
from math import isfinite
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ccmusic.analysis import Analysis
from ccmusic.audio import Clip
from ccmusic.card import titles
from ccmusic.dashboard.compare import peak
from ccmusic.dashboard.component import component
from ccmusic.dashboard.compute import prepared
from ccmusic.dashboard.markdown import told
from ccmusic.dashboard.markup import (
    bar,
    headline,
    large,
    piece_title,
    style_words,
)
from ccmusic.dashboard.media import sound
from ccmusic.dashboard.piece import Piece
from ccmusic.dashboard.player import sixteen, wav, window_button
from ccmusic.dashboard.shown import Shown
from ccmusic.dashboard.signal_figures import spectrogram_chart
from ccmusic.dashboard.state import sent, state
from ccmusic.dashboard.verdicts import opinion
from ccmusic.edits import Change, Edit, Without, message
from ccmusic.errors import CCMusicError
from ccmusic.genres import genre_name
from ccmusic.picture import Preprocessing
from ccmusic.report import genre_mark
from ccmusic.spectrogram import transforms_of
from ccmusic.texts import Language, capitalized, number, translate

_script = component("what_if", "whatif.js", html="")
_LEAD = 1.0  # seconds that are heard before a region that is missing


def before_and_after(slot: DeltaGenerator, shown: Shown) -> tuple[Analysis | None, Analysis | None]:
    """Draw each model's first choice before and after; both analyses, so far as they stand."""
    language, before, after, said = shown.language, None, None, ""
    try:
        if shown.pending:
            before = shown.pending.result().select(shown.on)
        if isinstance(shown.after, CCMusicError):
            raise shown.after
        if shown.after and shown.after.pending:
            after = shown.after.pending.result().select(shown.on)
        if leading := before if after and after.mean else after or before:
            said = opinion(leading, language)
    except CCMusicError as error:
        said = told(error, language)
    done = message(state().edits, language)
    above = f'{piece_title(shown.piece.title)}<p class="edited">{escape(capitalized(done))}</p>'
    if not (before and before.mean and after and after.mean):
        slot.html(above + headline("", said))
    else:
        slot.html(above + _answer(before, after, language) + _table(before, after, language))
    return before, after


def _answer(before: Analysis, after: Analysis, language: Language) -> str:
    """The likeliest genre now, large, and that before."""
    ((genre, share),), ((was, had),) = after.top(1), before.top(1)
    since = translate(language, "what_if.since", genre=genre_name(was, language), share=had)
    return (
        f"{large(genre, share, escape(since), language)}"
        f'<p class="opinion">{escape(opinion(after, language))}</p>'
    )


def _table(before: Analysis, after: Analysis, language: Language) -> str:
    """Models x before and after; the mean below."""
    names = titles(verdict.card for verdict in before.verdicts.values())
    rows = [
        _row(names[name], verdict.probabilities, _shares(after, name), language)
        for name, verdict in before.verdicts.items()
        if not verdict.error
    ]
    if len(rows) > 1 and before.mean:
        rows.append(_row(translate(language, "page.mean_short"), before.mean, after.mean, language))
    words = [escape(translate(language, f"what_if.{side}")) for side in ("before", "after")]
    head = "".join(f'<th scope="col">{word}</th>' for word in words)
    label = escape(translate(language, "what_if.title"))
    return (
        f'<table class="what-if" aria-label="{label}"><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _shares(analysis: Analysis, name: str) -> Mapping[str, float]:
    verdict = analysis.verdicts.get(name)
    return verdict.probabilities if verdict else {}


def _row(
    name: str, before: Mapping[str, float], after: Mapping[str, float], language: Language
) -> str:
    first = max(before, key=before.__getitem__)
    cells = _cell(first, before[first], before[first], "", language)
    if after:  # none of silence
        second = max(after, key=after.__getitem__)
        points = round(100 * after[first]) - round(100 * before[first])
        change = number(points, "+d") if points else "±0"
        lost = escape(change if first == second else f"{genre_name(first, language)} {change}")
        cells += _cell(second, after[second], before.get(second, 0.0), lost, language)
    else:
        cells += "<td>–</td>"
    return f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>'


def _cell(genre: str, share: float, since: float, note: str, language: Language) -> str:
    small = f"<small>{note}</small>" if note else ""
    return (
        f'<td>{genre_mark(genre, language)}<span class="share">{share:.0%}</span>'
        f"{bar(genre, share, since=since)}{small}</td>"
    )


def pictures(shown: Shown, after: Shown) -> None:
    """Draw the spectrograms of the edited sound, in the colours of those before."""
    words = {side: translate(shown.language, f"what_if.{side}") for side in ("before", "after")}
    st.html(style_words(":root", words))
    with st.container(key="edited", horizontal=True, gap="small"):
        for name in transforms_of(shown.transform):
            kind = Preprocessing.default(name).transform
            spectrogram_chart(
                after.window,
                kind,
                shown.piece.title,
                shown.language,
                key="edited",
                below=peak(shown.window.spectrograms[kind]) - peak(after.window.spectrograms[kind]),
            )


def what_if(shown: Shown) -> None:
    """Draw what can be done to the sound, and what takes it back; and listen to page.js."""
    page, language = state(), shown.language
    edits, of = page.edits, (shown.piece.token, shown.sound.start, page.edits)

    def asked(name: str) -> Without | None:
        return _region(sent("what_if_script")[name], shown.clip, edits)

    def remove() -> None:
        if region := asked("remove"):
            page.edit(_without(edits, region))

    def rest() -> None:
        if region := asked("rest"):
            page.rest = page.rest[0] + 1, of, region

    if edits:
        _take_back(shown)
    number, heard, region = page.rest
    if region and heard == of:
        others = replace(shown.sound, edits=_without(edits, region))
        left = prepared(others, shown.transform).clip
        _rest(left, region, number, shown.piece.title)
    words = {word: translate(language, f"what_if.{word}") for word in ("alone", "rest", "remove")}
    _script(
        key="what_if_script",
        data={**words, "actions": translate(language, "what_if.actions"), "number": number},
        on_remove_change=remove,
        on_rest_change=rest,
    )


def _take_back(shown: Shown) -> None:
    """The edited sound to listen to, and the buttons that undo what was done."""
    page, language = state(), shown.language
    with st.container(key="edited_sound", horizontal=True, vertical_alignment="center"):
        if isinstance(shown.after, Shown):
            clip = shown.after.clip
            _sound(clip, shown.piece.title)
            st.html(
                f'<div data-offset="{clip.info.window_start:.3f}">'
                f"{window_button(language, clip.info, play='what_if.play')}</div>",
                width="content",
            )
        st.button(
            translate(language, "what_if.undo"),
            key="undo",
            icon=":material/undo:",
            on_click=page.undo,
        )
        if len(page.edits) > 1 or len(page.edits_before) > 1:
            original = translate(language, "what_if.original")
            st.button(original, key="original", on_click=page.edit, args=[()])


def _without(edits: tuple[Edit, ...], region: Without) -> tuple[Edit, ...]:
    """One region less: regions are those of the sound before it is changed."""
    change = _change(edits)
    return (*edits[:-1], region, change) if change else (*edits, region)


def _change(edits: tuple[Edit, ...]) -> Change | None:
    """What is changed besides regions: the last of all edits."""
    return next((edit for edit in edits if isinstance(edit, Change)), None)


def _region(sent: Any, clip: Clip, edits: tuple[Edit, ...]) -> Without | None:
    """Region that page.js tells, in terms of the sound before any change of pitch and tempo.

    Anything may come instead.
    """
    names = ("start", "end", "low", "high")
    values = [sent.get(name) for name in names] if isinstance(sent, dict) else []
    numbers = [v for v in values if isinstance(v, int | float) and isfinite(v)]
    if len(numbers) < len(names):
        return None
    start, end, low, high = map(float, numbers)
    change, begin = _change(edits) if sent.get("after") else None, clip.info.window_start
    if change:
        ratio, tempo = 2 ** ((change.pitch or 0) / 12), change.tempo or 1
        low, high = low / ratio, high / ratio
        start, end = (begin + (second - begin) * tempo for second in (start, end))
    start, end = max(start, begin, 0.0), min(end, clip.info.window_end)
    try:
        return Without(
            band=(round(max(low, 0.0), 1), round(high, 1)),
            seconds=(round(start, 2), round(end, 2)),
        )
    except CCMusicError:  # nothing is left of it
        return None


def _sound(clip: Clip, title: str) -> None:
    """The window as it was edited, for the page's player; the style sheet hides the browser's."""
    content = wav(sixteen(clip.original), clip.info.sample_rate)
    sound(Piece("edited.wav", title, content))


def _rest(clip: Clip, region: Without, number: int, title: str) -> None:
    """What is left without a region; whatif.js lets it be played, once for each number."""
    info = clip.info
    begin = region.seconds[0] - _LEAD if region.seconds else info.window_start
    with st.container(key="rest"):
        _sound(clip, title)
        st.html(
            f'<button class="play-region" tabindex="-1" data-number="{number}" '
            f'data-offset="{info.window_start:.3f}" '
            f'data-start="{max(begin, info.window_start):.3f}" data-end="{info.window_end:.3f}" '
            f'data-low="0" data-high="0"></button>'
        )
