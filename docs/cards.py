"""Write ``docs/models.md`` and ``docs/data.md`` from the shipped cards: ``python docs/cards.py``.

With ``--check`` nothing is written, and the exit status is 1 if a page has drifted.
"""

import sys
from collections import Counter
from pathlib import Path

from ccmusic.card import DataSource, ModelCard
from ccmusic.genres import genre_name
from ccmusic.zoo import SHIPPED
from tables import share, table, update

HERE = Path(__file__).parent


def models(cards: list[ModelCard]) -> str:
    parts = [
        "# The shipped models",
        "This page is written by `python docs/cards.py` from the cards beside the networks.",
    ]
    for card in cards:
        metrics = card.metrics
        assert metrics is not None
        confusion = [
            [
                genre_name(genre, "en"),
                str(metrics.support[genre]),
                f"{recall:.0%}",
                ", ".join(
                    f"{genre_name(choice, 'en')} {count}"
                    for choice, count in metrics.confusion[genre].items()
                    if choice != genre
                ),
            ]
            for genre, recall in metrics.recall.items()
        ]
        calibration = [
            [
                f"from {b.above:.2f}",
                f"{b.confidence:.0%}",
                f"{b.accuracy:.0%}",
                f"{b.recordings}",
            ]
            for b in metrics.calibration
        ]
        sources = [
            [source, f"{accuracy:.0%}"] for source, accuracy in metrics.accuracy_by_source.items()
        ]
        parts += [
            f"## {card.name}",
            f"{card.parameters / 1e6:.1f} M parameters, {card.multiply_adds / 1e9:.2f} G "
            f"multiply-adds, stored as {card.precision}. {card.data} Licence: {card.licence}.",
            "\n".join(f"- {note}" for note in card.notes),
            f"On {metrics.recordings} recordings of `{metrics.split}`, none trained on, one "
            f"verdict each: accuracy {share(metrics.accuracy, metrics.accuracy_interval)}, mean "
            f"recall {share(metrics.macro_recall, metrics.macro_recall_interval)}, expected "
            f"calibration error {metrics.calibration_error:.3f} at temperature "
            f"{card.temperature:.2f}.",
            table("genre | recordings | recall | taken for", confusion),
            "What a probability has meant:",
            table("probability | mean | right | recordings", calibration),
            "By source of the recording:",
            table("source | accuracy", sources),
        ]
    return "\n\n".join(parts) + "\n"


def data(cards: list[ModelCard]) -> str:
    parts = [
        "# The training material",
        "This page is written by `python docs/cards.py` from the cards. The material itself is not "
        "part of the project.",
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
    update({HERE / "models.md": models(cards), HERE / "data.md": data(cards)}, sys.argv)


if __name__ == "__main__":
    main()
