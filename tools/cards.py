"""Write ``docs/models.md`` and ``docs/data.md`` from the shipped cards: ``python tools/cards.py``.

With ``--check`` nothing is written, and the exit status is 1 if a page has drifted.
"""

import sys
from collections import Counter
from pathlib import Path

from ccmusic.card import DataSource, Metrics, ModelCard, PanelCard
from ccmusic.genres import genre_name
from ccmusic.workshop.evaluate import wilson
from ccmusic.zoo import SHIPPED
from tables import panels, share, table, update

DOCS = Path(__file__).parent.parent / "docs"


def models(cards: list[ModelCard], means: dict[str, PanelCard]) -> str:
    parts = [
        "# The shipped models",
        "This page is written by `python tools/cards.py` from the cards beside the networks.",
        "## Side by side",
        "Recordings of `valid`, none trained on, one verdict each. The GTZAN tracks alone cover "
        "ten genres, and say the most about telling them apart. 95 % intervals: Wilson's for these "
        "tracks, bootstrapped for the rest.",
        side_by_side(cards, means),
    ]
    if means:
        parts += ["## Together", "Means of several models, measured like the models below."]
    for name, panel in means.items():
        pair = panel.pairs[0]
        parts.append(
            f"**{name}**: {figures(panel.metrics)} A temperature of its own would leave "
            f"{panel.scaled_calibration_error:.3f}; the mean is shown as it is. The two that "
            f"do best together: `{pair.models[0]}` and `{pair.models[1]}`, {pair.accuracy:.0%}; on "
            f"{pair.either:.0%} at least one of them is right."
        )
    for card in cards:
        metrics = card.metrics
        assert metrics is not None
        build = (
            f"{card.parameters / 1e6:.1f} M parameters, {card.multiply_adds / 1e9:.2f} G "
            f"multiply-adds, stored as {card.precision}"
        )
        if card.relative_latency:
            build += f", {card.relative_latency:.1f} times the time of MobileNetV3 in fp32"
        if card.same_choice is not None:
            build += f", first choice as in fp32 on {card.same_choice:.1%} of the clips"
        parts += [
            f"## {card.name}",
            f"{build}. {card.data} Licence: {card.licence}.",
            "\n".join(f"- {note}" for note in card.notes),
            f"{figures(metrics)} Temperature {card.temperature:.2f}.",
            *details(metrics),
        ]
        if card.learning_curve:
            curve = ", ".join(f"{accuracy:.0%}" for accuracy in card.learning_curve)
            parts.append(f"Accuracy on the clips after each pass of the training: {curve}.")
    return "\n\n".join(parts) + "\n"


def side_by_side(cards: list[ModelCard], means: dict[str, PanelCard]) -> str:
    rows = [
        [
            f"`{card.name}`",
            *scores(card.metrics),
            f"{card.same_choice:.1%}" if card.same_choice is not None else "",
            f"{(SHIPPED / card.name).with_suffix('.onnx').stat().st_size / 1e6:.1f} MB",
            f"{card.relative_latency:.1f}" if card.relative_latency else "",
        ]
        for card in cards
        if card.metrics
    ]
    rows += [[name, *scores(panel.metrics), "", "", ""] for name, panel in means.items()]
    return table(
        "model | GTZAN tracks | all | mean recall | weakest genre | environment recognised | "
        "music taken for it | calibration error (by chance) | first choice as in fp32 | size | "
        "time, MobileNetV3 in fp32 = 1",
        rows,
    )


def scores(metrics: Metrics) -> list[str]:
    tracks = {s: n for s, n in metrics.support_by_source.items() if s.startswith("gtzan")}
    right = round(sum(n * metrics.accuracy_by_source[s] for s, n in tracks.items()))
    weakest = min(metrics.recall, key=lambda genre: metrics.recall[genre])
    music = metrics.recordings - metrics.support["environment"]
    mistaken = sum(
        choices.get("environment", 0)
        for genre, choices in metrics.confusion.items()
        if genre != "environment"
    )
    return [
        share(right / sum(tracks.values()), wilson(right, sum(tracks.values()))),
        share(metrics.accuracy, metrics.accuracy_interval),
        share(metrics.macro_recall, metrics.macro_recall_interval),
        f"{genre_name(weakest, 'en')} {metrics.recall[weakest]:.0%}",
        f"{metrics.recall['environment']:.0%}",
        f"{mistaken / music:.1%}",
        f"{metrics.calibration_error:.3f} ({metrics.calibration_error_by_chance:.3f})",
    ]


def figures(metrics: Metrics) -> str:
    return (
        f"On {metrics.recordings} recordings of `{metrics.split}`, none trained on, one verdict "
        f"each: accuracy {share(metrics.accuracy, metrics.accuracy_interval)}, mean recall "
        f"{share(metrics.macro_recall, metrics.macro_recall_interval)}, expected calibration "
        f"error {metrics.calibration_error:.3f}; on so few recordings perfect calibration would "
        f"show {metrics.calibration_error_by_chance:.3f}."
    )


def details(metrics: Metrics) -> list[str]:
    confusion = [
        [
            genre_name(genre, "en"),
            str(metrics.support[genre]),
            f"{recall:.0%}",
            metrics.taken_for(genre),
        ]
        for genre, recall in metrics.recall.items()
    ]
    bands = [
        [
            band.level,
            f"from {band.above:.2f}",
            share(band.accuracy, band.accuracy_interval),
            str(band.recordings),
        ]
        for band in reversed(metrics.bands)
    ]
    calibration = [
        [f"from {b.above:.2f}", f"{b.confidence:.0%}", f"{b.accuracy:.0%}", f"{b.recordings}"]
        for b in metrics.calibration
    ]
    sources = [
        [source, f"{metrics.support_by_source[source]}", f"{accuracy:.0%}"]
        for source, accuracy in metrics.accuracy_by_source.items()
    ]
    return [
        table("genre | recordings | recall | taken for", confusion),
        "What a probability has meant:",
        table("confidence | probability | right | recordings", bands) if bands else "",
        table("probability | mean | right | recordings", calibration),
        "By source of the recording:",
        table("source | recordings | accuracy", sources),
    ]


def data(cards: list[ModelCard]) -> str:
    parts = [
        "# The training material",
        "This page is written by `python tools/cards.py` from the cards. The material itself is "
        "not part of the project.",
    ]
    alike: list[tuple[DataSource, ...]] = []
    for card in cards:
        if card.sources not in alike:
            alike.append(card.sources)
    for sources in alike:
        names = ", ".join(f"`{card.name}`" for card in cards if card.sources == sources)
        genres: Counter[str] = Counter()
        for source in sources:
            genres.update(source.clips)
        rows = [
            [
                source.source,
                source.licence,
                str(source.recordings),
                ", ".join(f"{genre_name(g, 'en')} {n}" for g, n in source.clips.items()),
                str(source.unlabelled or ""),
            ]
            for source in sources
        ]
        parts += [
            f"## {names}",
            "Labelled clips: "
            + ", ".join(f"{genre_name(g, 'en')} {n}" for g, n in genres.most_common())
            + f"; unlabelled: {sum(source.unlabelled for source in sources)}.",
            table("source | licence | recordings | labelled clips | unlabelled clips", rows),
        ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    cards = [ModelCard.read(path) for path in sorted(SHIPPED.glob("*.json"))]
    means = {f"mean of {name}": panel for name, panel in panels().items()}
    update({DOCS / "models.md": models(cards, means), DOCS / "data.md": data(cards)}, sys.argv)


if __name__ == "__main__":
    main()
