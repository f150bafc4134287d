"""Reports: an :class:`~ccmusic.analysis.Analysis` as JSON, CSV, or HTML."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

from ccmusic import edits, plot
from ccmusic.audio import Clip
from ccmusic.errors import CCMusicError
from ccmusic.escaping import cell
from ccmusic.genres import genre_colour, genre_name
from ccmusic.importance import Importance
from ccmusic.spectrogram import TRANSFORM_TITLES
from ccmusic.texts import Language, capitalized, translate
from ccmusic.verdict import Verdict
from ccmusic.version import __version__

if TYPE_CHECKING:
    from ccmusic.analysis import Analysis
    from ccmusic.attention import Attention
    from ccmusic.result import PanelResult

Kind = Literal["html", "json", "csv"]


_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.6 "Source Sans 3", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC",
  sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: auto; }
.row { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr));
  gap: 1rem; margin: 1rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { padding: 0.25rem 0.6rem; text-align: right; white-space: nowrap; }
th:first-child { text-align: left; }
.swatch { display: inline-block; width: 0.7em; height: 0.7em; margin-right: 0.4em; }
.all tr:last-child > * { border-top: 2px solid; font-weight: bold; }
.windows td:last-child { font-weight: bold; }
figure { margin: 0; }
.note { opacity: 0.75; }
"""


def kind_of(path: Path) -> Kind:
    """Kind of document by the ending of a file name.

    Raises
    ------
    CCMusicError
        If its ending is none of ``.html``, ``.json``, ``.csv``.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind in get_args(Kind):
        return cast("Kind", kind)
    raise CCMusicError(f"{path}: the name of a report must end in .html, .json or .csv")


def render(
    analysis: PanelResult, kind: Kind, language: Language = "en", *, window: Analysis | None = None
) -> str:
    """Render a document on ten seconds or a whole piece, its sentences in a language.

    Parameters
    ----------
    window
        Ten seconds of the piece, which the HTML page shows as well.
    """
    if kind == "html":
        return to_html(analysis, language, window)
    return to_json(analysis, language) if kind == "json" else to_csv(analysis)


def to_json(analysis: PanelResult, language: Language = "en") -> str:
    """Indented JSON, as ``ccmusic classify --json`` prints it."""
    document = analysis.document(language=language).to_dict()
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def to_csv(analysis: PanelResult) -> str:
    """The rows of an analysis, with a header; an empty cell where a row has no value."""
    rows, text = analysis.rows(), io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: cell(v) if isinstance(v, str) else v for k, v in row.items()})
    return text.getvalue()


def info_line(clip: Clip, language: Language) -> str:
    """Codec, rates, channels, and duration in one line."""
    info = clip.info
    channels = {1: "page.mono", 2: "page.stereo"}.get(info.channels, "page.channels")
    parts = [info.codec]
    if info.bit_rate:
        parts.append(translate(language, "page.bit_rate", kbps=info.bit_rate / 1000))
    parts += [
        translate(language, "page.sample_rate", khz=info.sample_rate / 1000),
        translate(language, channels, channels=info.channels),
        translate(language, "page.duration", seconds=info.duration),
    ]
    return " · ".join(parts)


def window_line(clip: Clip, language: Language) -> str:
    """The part of a recording that the networks see."""
    key = "page.looped" if clip.info.looped else "page.window"
    return translate(language, key, start=clip.info.window_start, end=clip.info.window_end)


def map_line(verdict: Verdict, evidence: Attention | None, language: Language) -> str:
    """Sentence about the map of a verdict, or why there is none.

    It says how much such places mattered in tests, and how far two kinds of maps agree.
    """
    if evidence is None:
        has_maps = verdict.maps is not None
        return translate(language, "attention.unknown" if has_maps else "attention.none")
    named = {"genre": genre_name(evidence.genre, language)}
    if evidence.region is None:
        return translate(language, f"{evidence.kind}.nowhere", **named)
    if evidence.everywhere:
        line = translate(language, f"{evidence.kind}.everywhere", **named)
    else:
        region = evidence.region.message(language)
        line = translate(language, f"{evidence.kind}.strongest", region=region, **named)
        if worth := evidence.worth(verdict.card):
            line += translate(language, "attention.worth", worth=worth.message(language))
    agreement = evidence.rank_correlation if isinstance(evidence, Importance) else None
    if agreement is None:
        return line
    return line + translate(language, "occlusion.agreement", figure=agreement)


def map_help(look: str, maps: Iterable[Attention | None], language: Language) -> str:
    """How to read maps of this look, and how they were made, by the kinds that there are."""
    kinds = sorted({f"{evidence.kind}.help" for evidence in maps if evidence})
    return " ".join(translate(language, key) for key in (look, *kinds, "attention.help"))


def to_html(analysis: PanelResult, language: Language, window: Analysis | None = None) -> str:
    """Self-contained page with embedded pictures."""
    title = escape(Path(analysis.file).name)
    clip = analysis.clip
    edited = [capitalized(edits.message(clip.edits, language))] if clip.edits else []
    body = [
        f"<h1>{title}</h1>",
        _paragraph(info_line(clip, language)),
        *(_paragraph(line) for line in edited),
        *_part(analysis, language),
        *(_part(window, language) if window else ()),
        *_models(analysis, language),
        _paragraph(f"CCMusic {__version__}"),
    ]
    lines = "\n".join(body)
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title} · CCMusic</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{lines}\n</body>\n</html>\n"
    )


def _part(shown: PanelResult, language: Language) -> list[str]:
    """What there is on ten seconds, or on the whole."""
    return [
        _heading(capitalized(shown.message(language))),
        _paragraph(window_line(shown.clip, language)),
        *(_paragraph(f"⚠ {warning.message(language)}") for warning in shown.warnings),
        *_figures(shown, language),
        *_evidence(shown, language),
    ]


def _heading(text: str) -> str:
    return f"<h2>{escape(text)}</h2>"


def _paragraph(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'


def _figures(analysis: PanelResult, language: Language) -> list[str]:
    """What speaks for the verdict and against, how sure it is, and the table, if there is one."""
    if analysis.agreement is None:
        return []
    divergence = capitalized(analysis.agreement.divergence_message(language))
    why, advice = analysis.why(), analysis.advice
    return [
        *([_paragraph(why.message(language))] if why else []),
        *(map(_paragraph, advice.message(language)) if advice else ()),
        *([_paragraph(divergence)] if divergence else []),
        shares_table(analysis, language),
    ]


def _evidence(analysis: PanelResult, language: Language) -> list[str]:
    """Of ten seconds the spectrograms and what each model relied on; of a piece its windows."""
    if analysis.windows:
        title = translate(language, "timeline.title")
        return [_heading(title), _windows(analysis.windows, language)]
    shown = cast("Analysis", analysis)
    if not shown.verdicts:
        return _spectrograms(shown, language)
    return [
        *_spectrograms(shown, language),
        _heading(translate(language, "attention.title")),
        *_maps(shown, language),
    ]


def _windows(windows: Sequence[PanelResult], language: Language) -> str:
    """Windows x models, the mean last: first choices with their probabilities."""
    names = dict.fromkeys(name for window in windows for name in window.verdicts)
    rows = []
    for window in windows:
        choices = [window.verdicts[n].top(1) if n in window.verdicts else [] for n in names]
        cells = map(partial(_choice, language=language), (*choices, window.top(1)))
        rows.append((clock(window.clip.info.window_start), "".join(cells)))
    titles = map(escape, (*names, translate(language, "page.mean_short")))
    return table("windows", titles, rows, translate(language, "timeline.title"))


def _choice(choice: list[tuple[str, float]], language: Language) -> str:
    if not choice:
        return "<td></td>"
    ((genre, share),) = choice
    return _bar(genre, 1, f"{genre_name(genre, language)} {share:.0%}")


def _bar(genre: str, length: float, text: str) -> str:
    """Cell of a table with a bar in the colour of a genre."""
    colour = genre_colour(genre)
    bar = f"background:linear-gradient({colour},{colour}) 0 100%/{length:.1%} 4px no-repeat"
    return f'<td style="{bar}">{escape(text)}</td>'


def table(kind: str, head: Iterable[str], rows: Iterable[tuple[str, str]], label: str) -> str:
    """Draw a table that scrolls where it is wider than the page.

    Parameters
    ----------
    kind
        Its class.
    head
        HTML of the titles of the columns.
    rows
        Title of each row, and HTML of its cells.
    label
        What it shows, for those who do not see it.
    """
    titles = "".join(f'<th scope="col">{title}</th>' for title in head)
    body = "".join(f'<tr><th scope="row">{escape(t)}</th>{row}</tr>' for t, row in rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">'
        f'<table class="{kind}"><thead><tr><td></td>{titles}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def genre_mark(genre: str, language: Language) -> str:
    """Name of a genre beside a square of its colour."""
    return (
        f'<span class="genre"><i class="swatch" style="background:{genre_colour(genre)}"></i>'
        f"{escape(genre_name(genre, language))}</span>"
    )


def shares_table(analysis: PanelResult, language: Language) -> str:
    """Models x genres; the likeliest genres of the mean at the left, the mean itself below."""
    both = analysis.transform == "both"
    shares = {
        v.card.title(with_transform=both): v.probabilities
        for v in analysis.verdicts.values()
        if not v.error
    }
    shares[translate(language, "page.mean")] = analysis.mean
    genres = analysis.genres
    rows = (
        (name, "".join(_bar(g, s[g], f"{s[g]:.0%}") if g in s else "<td></td>" for g in genres))
        for name, s in shares.items()
    )
    head = (genre_mark(genre, language) for genre in genres)
    return table("all", head, rows, translate(language, "page.table"))


def clock(seconds: float) -> str:
    """Minutes and seconds: 1:05."""
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"


def _models(analysis: PanelResult, language: Language) -> list[str]:
    """Which models they are; nothing if none was asked."""
    if not analysis.verdicts:
        return []
    return [
        _heading(translate(language, "report.models")),
        "<ul>",
        *(_model(verdict, language) for verdict in analysis.verdicts.values()),
        "</ul>",
    ]


def _spectrograms(analysis: Analysis, language: Language) -> list[str]:
    start = analysis.clip.info.window_start
    figures = []
    for transform, spectrogram in analysis.spectrograms.items():
        preprocessing, slices = next(
            item for item in analysis.pictures.items() if item[0].transform == transform
        )
        figures += [
            '<div class="row">',
            _figure(
                plot.levels(spectrogram, preprocessing, start=start),
                TRANSFORM_TITLES.get(transform.name, transform.name),
                language,
            ),
            _figure(
                plot.picture(slices[len(slices) // 2], start=start),
                translate(language, "report.picture"),
                language,
            ),
            "</div>",
        ]
    return figures


def _maps(analysis: Analysis, language: Language) -> list[str]:
    maps = {name: analysis.evidence(name) for name in analysis.verdicts}
    strongest = max((float(m.coarse.max()) for m in maps.values() if m), default=0.0)
    both = analysis.transform == "both"
    figures = [
        _figure(
            plot.attention(evidence, strongest=strongest),
            f"{analysis.verdicts[name].card.title(with_transform=both)}: "
            f"{map_line(analysis.verdicts[name], evidence, language)}",
            language,
        )
        for name, evidence in maps.items()
        if evidence
    ]
    help_text = map_help("report.map_help", maps.values(), language)
    return [_paragraph(help_text), '<div class="row">', *figures, "</div>"]


def _figure(shown: plot.Plot, caption: str, language: Language) -> str:
    image = shown.svg(language, caption)
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def _model(verdict: Verdict, language: Language) -> str:
    """Name and hash of a model, and how reliable its verdict is."""
    card = verdict.card
    parts = [
        f"<b>{escape(card.title(with_transform=True))}</b>",
        f"<code>{escape(card.name)} · sha256 {card.sha256[:12]}</code>",
    ]
    if verdict.error:
        parts.append(escape(verdict.error.message(language)))
    else:
        parts.append(escape(translate(language, "report.latency", latency=verdict.latency_ms)))
        advice = verdict.advice(language, card.title())
        parts += [escape(advice)] if advice else []
    return f"<li>{' · '.join(parts)}</li>"
