"""Guide: the measured strengths of all models."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ccmusic import zoo
from ccmusic.card import ModelCard, fastest
from ccmusic.dashboard.markup import matrix
from ccmusic.dashboard.models import private_models
from ccmusic.genres import genre_name
from ccmusic.texts import Language, translate
from ccmusic.zoo import Checkpoint


def guide(language: Language) -> None:
    """Draw recommendations, a table of all models, and how they do in pairs."""
    checkpoints = zoo.scan()[0] + private_models()
    measured = [c for c in checkpoints if c.card.reliability and c.card.relative_latency]
    st.subheader(translate(language, "guide.title"), anchor=False)
    st.markdown(translate(language, "guide.intro"))
    if measured:
        st.markdown("\n".join(f"- {line}" for line in _answers(measured, language)))
    slowest = max((c.card.relative_latency or 0 for c in measured), default=1)
    bars = {"accuracy": ("%.0f%%", 100.0), "latency": ("%.1f x", slowest)}
    st.dataframe(
        [_row(c, language) for c in checkpoints],
        hide_index=True,
        key="guide_table",
        column_config={
            translate(language, f"guide.{name}"): st.column_config.ProgressColumn(
                format=form, min_value=0, max_value=most
            )
            for name, (form, most) in bars.items()
        },
    )
    st.caption(translate(language, "guide.latency_unit"))
    # The user's own checkpoints have not been measured together with them.
    shipped = [c.card for c in checkpoints if c.path.parent == zoo.SHIPPED]
    cells = _cells(shipped)
    if cells:
        st.markdown(f"**{translate(language, 'guide.pairs')}**")
        st.html(matrix(cells, language))
        st.caption(translate(language, "guide.matrix"))


def _cells(cards: Sequence[ModelCard]) -> dict[tuple[str, str], tuple[float, float | None]]:
    """Accuracy of each pair, and how often at least one was right, by the titles of both.

    Above the diagonal CQT, below it Mel: the first title is the row. On it the models alone, with
    CQT and with Mel.
    """
    titles = sorted({card.title() for card in cards})
    cells: dict[tuple[str, str], tuple[float, float | None]] = {}
    for transform in ("cqt", "mel"):
        members = {c.name: c for c in cards if c.transform == transform}
        panel = zoo.panel_card(members.values())
        for pair in panel.pairs if panel else ():
            row, column = sorted(
                (members[name].title() for name in pair.models),
                key=titles.index,
                reverse=transform == "mel",
            )
            cells[row, column] = (pair.accuracy, pair.either)
        for card in members.values() if panel else ():
            assert card.metrics is not None
            before, _ = cells.get((card.title(), card.title()), (None, None))
            own = card.metrics.accuracy  # on the recordings on which the pairs were measured
            cells[card.title(), card.title()] = (own, None) if before is None else (before, own)
    return cells


def _answers(checkpoints: Sequence[Checkpoint], language: Language) -> list[str]:
    def accuracy(card: ModelCard) -> float:
        return card.reliability.accuracy if card.reliability else 0.0

    cards = [c.card for c in checkpoints]
    best = max(cards, key=accuracy)
    lightest = min(checkpoints, key=lambda c: c.path.stat().st_size)
    return [
        translate(language, "guide.best", name=f"`{best.name}`", accuracy=accuracy(best)),
        translate(language, "guide.fastest", name=f"`{fastest(cards).name}`"),
        translate(
            language,
            "guide.lightest",
            name=f"`{lightest.card.name}`",
            megabytes=lightest.path.stat().st_size / 1e6,
        ),
    ]


def _row(checkpoint: Checkpoint, language: Language) -> dict[str, object]:
    card = checkpoint.card
    metrics, known = card.reliability, card.metrics
    row: dict[str, object] = {
        translate(language, "guide.model"): card.name,
        translate(language, "guide.accuracy"): 100 * metrics.accuracy if metrics else None,
        translate(language, "guide.recall"): f"{metrics.macro_recall:.0%}" if metrics else None,
        translate(language, "guide.latency"): card.relative_latency,
        translate(language, "guide.width"): f"1/{card.width_divisor}".removesuffix("/1"),
        translate(language, "guide.parameters"): f"{card.parameters / 1e6:.1f} M",
        translate(language, "guide.size"): f"{checkpoint.path.stat().st_size / 1e6:.1f} MB",
    }
    if card.unknown_sources and known:
        row[translate(language, "guide.known")] = f"{known.accuracy:.0%}"
    if card.faithfulness:
        row[translate(language, "guide.maps")] = card.maps_message(language)
    if metrics:
        ranking = sorted(metrics.recall, key=lambda genre: metrics.recall[genre])
        for key, genre in (("best_genre", ranking[-1]), ("weakest_genre", ranking[0])):
            name = genre_name(genre, language)
            row[translate(language, f"guide.{key}")] = f"{name} {metrics.recall[genre]:.0%}"
    return row
