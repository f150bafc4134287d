"""Verdicts in, HTML out: lines, cards and table; every bar has its value beside it as text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape

from ccmusic.card import Band, titles
from ccmusic.genres import genre_colour, genre_name
from ccmusic.report import genre_mark, table
from ccmusic.texts import Language, number, translate
from ccmusic.verdict import Verdict

STATUS = (
    '<div role="status" style="position:absolute;width:1px;height:1px;overflow:hidden;'
    'clip-path:inset(50%)"></div>'
)
"""What a script writes here is read out and not seen."""


def changing(parts: Collection[str]) -> str:
    """Names of the parts of the page that are still of the piece before: the style dims them."""
    return f'<i class="changing {" ".join(sorted(parts))}"></i>'


def style_words(selector: str, words: Mapping[str, str]) -> str:
    """Words that the style sheet draws below a selector, by the names of its variables."""
    rules = " ".join(f'--{name}: "{word}";' for name, word in words.items())
    return f"<style>{selector} {{ {rules} }}</style>"


def group(title: str) -> str:
    """Name of a group of choices."""
    return f'<h3 class="group">{escape(title)}</h3>'


def makers_genre(genre: str, language: Language) -> str:
    """What those who made a piece call it."""
    said = translate(language, "page.makers_genre", genre=genre_name(genre, language))
    return f'<p class="makers">{escape(said)}</p>'


def headline(title: str, sentence: str, warnings: Iterable[str] = ()) -> str:
    """Title of the piece, and a sentence in the place of the answer."""
    return (
        f'{piece_title(title)}<h2 class="answer sentence opinion">{escape(sentence)}</h2>'
        f"{_warnings(warnings)}"
    )


def progress(title: str, sentence: str, dots: Iterable[str], language: Language) -> str:
    """As :func:`answer`, while the models are asked."""
    return (
        f'{piece_title(title)}<h2 class="answer"><b class="large">…</b></h2>'
        f'{_ballot(dots, language)}<div class="sentences">'
        f'<p class="opinion">{escape(sentence)}</p></div>'
    )


def answer(
    title: str,
    choices: Sequence[tuple[str, float]],
    dots: Iterable[str],
    sentences: Iterable[str],
    warnings: Iterable[str],
    language: Language,
    *,
    worthless: str = "",
    sureness: str = "",
) -> str:
    """The first screen's answer: the likeliest genre, large; all else is smaller.

    Parameters
    ----------
    choices
        The likeliest genres of the mean with their probabilities.
    dots
        One of each model, see :func:`dot`.
    sentences
        What is said below, the opinion of the panel first.
    worthless
        Why the verdict means nothing; it takes the place of the genre.
    sureness
        How sure the mean is, see :func:`sureness`.
    """
    (genre, share), *others = choices
    first = large(genre, share, _rest(others, language), language)
    if worthless:
        first = f'<h2 class="answer sentence">{escape(worthless)}</h2>'
    opinion, *more = sentences
    below = "".join(f"<p>{escape(sentence)}</p>" for sentence in more)
    return (
        f'{piece_title(title)}{first}{_ballot(dots, language, sureness)}<div class="sentences">'
        f'<p class="opinion">{escape(opinion)}</p></div>{_warnings(warnings)}'
        f'<div class="sentences">{below}</div>'
    )


def large(genre: str, share: float, beside: str, language: Language) -> str:
    """The likeliest genre in large type, its share, and in small type what stands beside."""
    return (
        f'<h2 class="answer"><b class="large" style="--genre:{genre_colour(genre)}">'
        f"{escape(genre_name(genre, language))}</b> "
        f'<span class="mean">{share:.0%}</span> <small>{beside}</small></h2>'
    )


def _ballot(dots: Iterable[str], language: Language, sureness: str = "") -> str:
    label = escape(translate(language, "page.votes_label"))
    return (
        f'<div class="ballot"><ul class="dots" aria-label="{label}">{"".join(dots)}</ul>'
        f"{sureness}</div>"
    )


def _warnings(warnings: Iterable[str]) -> str:
    told = "".join(f"<li>{escape(warning)}</li>" for warning in warnings)
    return f'<ul class="warnings">{told}</ul>' if told else ""


def piece_title(title: str) -> str:
    """Title of the piece, if there is one to tell."""
    return f'<h1 class="piece">{escape(title)}</h1>' if title else ""


def dot(name: str, genre: str | None, language: Language) -> str:
    """A model's vote as a dot in the colour of its genre; hollow while it has none."""
    if genre is None:
        return f'<li class="dot pending"><span>{escape(name)}: …</span></li>'
    said = escape(f"{name}: {genre_name(genre, language)}")
    return (
        f'<li class="dot" style="background:{genre_colour(genre)}" title="{said}">'
        f"<span>{said}</span></li>"
    )


def model_row(
    name: str,
    choices: Sequence[tuple[str, float]],
    language: Language,
    *,
    band: Band | None = None,
    advice: str = "",
) -> str:
    """A model's likeliest genres: the first with a bar and how sure it is, the others small."""
    (genre, share), *others = choices
    return (
        f'<li class="model"><span class="name">{escape(name)}</span>'
        f"{genre_mark(genre, language)}{bar(genre, share)}"
        f'<span class="share">{share:.0%}</span>{sureness(band, advice, language)}'
        f'<small class="rest">{_rest(others, language)}</small></li>'
    )


def _rest(choices: Iterable[tuple[str, float]], language: Language) -> str:
    shown = (f"{escape(genre_name(genre, language))} {share:.0%}" for genre, share in choices)
    return " · ".join(shown)


def notice(name: str, text: str, *, kind: str) -> str:
    """Line of a model that has no verdict (yet), with the reason."""
    return (
        f'<li class="model {kind}"><span class="name">{escape(name)}</span>'
        f'<span class="reason">{escape(text)}</span></li>'
    )


def own_line(genre: str, language: Language) -> str:
    """The visitor's own vote, among those of the models."""
    name = escape(translate(language, "vote.yours"))
    return f'<li class="own"><span class="name">{name}</span>{genre_mark(genre, language)}</li>'


def model_rows(rows: Iterable[str], language: Language) -> str:
    """All lines of the panel."""
    label = escape(translate(language, "page.verdicts"))
    return f'<ol class="models" aria-label="{label}">{"".join(rows)}</ol>'


def sureness(band: Band | None, advice: str, language: Language) -> str:
    """How sure a first choice is, and in a bubble what that has meant in tests."""
    if band is None:
        return '<span class="sureness"></span>'
    word = escape(translate(language, f"sureness.{band.level}"))
    return (
        f'<span class="sureness {band.level} tip">'
        f'<span>{word}</span><span class="bubble">{escape(advice)}</span></span>'
    )


def bar(genre: str, share: float, *, since: float | None = None) -> str:
    """A share as a bar; with ``since`` it grows or shrinks from there."""
    moved = "" if since is None else f"--since:{since:.1%};"
    return (
        '<span class="bar" aria-hidden="true">'
        f'<i style="{moved}width:{share:.1%};background:{genre_colour(genre)}"></i></span>'
    )


def race(
    shares: Sequence[tuple[str, float]], since: Sequence[tuple[str, float]], language: Language
) -> str:
    """Genres as bars, the likeliest first, which move from where they were a moment ago."""
    before = {genre: (place, share) for place, (genre, share) in enumerate(since)}
    rows = "".join(
        f'<li style="--rise:{before.get(genre, (len(shares), 0.0))[0] - place}">'
        f"{genre_mark(genre, language)}"
        f"{bar(genre, share, since=before.get(genre, (0, 0.0))[1])}"
        f"<span class='share'>{share:.0%}</span></li>"
        for place, (genre, share) in enumerate(shares)
    )
    return f'<ol class="race">{rows}</ol>'


def differences(
    titles: tuple[str, str], rows: Iterable[tuple[str, int, int]], language: Language
) -> str:
    """Genres x two pieces, in per cent, and the difference."""
    words = (translate(language, "files.genre"), *titles, translate(language, "compare.points"))
    head = "".join(f'<th scope="col" title="{escape(w)}">{escape(w)}</th>' for w in words)
    body = "".join(
        f'<tr><th scope="row">{genre_mark(genre, language)}</th><td>{one}%</td><td>{other}%</td>'
        f"<td>{_signed(other - one)}</td></tr>"
        for genre, one, other in rows
    )
    label = escape(translate(language, "compare.table"))
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}">'
        f'<table class="differences"><thead><tr>{head}</tr></thead><tbody>{body}</tbody>'
        "</table></div>"
    )


def matrix(cells: Mapping[tuple[str, str], tuple[float, float | None]], language: Language) -> str:
    """Models x models with two shares in each cell, the darker the larger the first one is."""
    titles = sorted({title for pair in cells for title in pair})
    lowest, highest = (f(first for first, _ in cells.values()) for f in (min, max))

    def cell(pair: tuple[str, str]) -> str:
        if pair not in cells:
            return "<td></td>"
        first, second = cells[pair]
        tint = 10 + 45 * (first - lowest) / max(highest - lowest, 1e-6)
        kind = "alone" if pair[0] == pair[1] else "pair"
        below = "" if second is None else f"<small>{second:.0%}</small>"
        return f'<td class="{kind}" style="--tint: {tint:.0f}%">{first:.0%}{below}</td>'

    rows = ((row, "".join(cell((row, column)) for column in titles)) for row in titles)
    return table("matrix", map(escape, titles), rows, translate(language, "guide.pairs"))


def tie(verdicts: Iterable[Verdict], genres: tuple[str, str], language: Language) -> str:
    """Two genres across the models that know both, ordered by which of them they prefer."""
    one, other = genres
    names = titles(v.card for v in verdicts)
    both = [v for v in verdicts if one in v.card.classes and other in v.card.classes]
    both.sort(key=lambda v: v.probabilities[other] - v.probabilities[one])
    head = "".join(f'<th scope="col">{genre_mark(genre, language)}</th>' for genre in genres)
    body = "".join(
        f'<tr><th scope="row">{escape(names[v.card.name])}</th>'
        + "".join(
            f'<td><span class="share">{v.probabilities[g]:.0%}</span>'
            f"{bar(g, v.probabilities[g])}</td>"
            for g in genres
        )
        + "</tr>"
        for v in both
    )
    label = escape(translate(language, "page.alt_tie"))
    return (
        f'<table class="tie" aria-label="{label}"><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _signed(points: int) -> str:
    return number(points, "+d") if points else "0"
