"""Inside a network: the strongest maps of four stages, and what of the picture a place depends on.

``features.js`` draws that square over the picture while one points at a map.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np
import numpy.typing as npt
import streamlit as st
from PIL import Image

from ccmusic.dashboard.component import component
from ccmusic.dashboard.compute import features_of
from ccmusic.dashboard.markdown import plain, told
from ccmusic.dashboard.media import embedded
from ccmusic.errors import CCMusicError
from ccmusic.features import Stage
from ccmusic.picture import Picture, magma, scale
from ccmusic.plot import png
from ccmusic.texts import Language, translate
from ccmusic.zoo import Checkpoint

_script = component("features", "features.js", html="")


def planes(picture: Picture, language: Language) -> None:
    """Draw the planes of a network's input, each from its lowest to its highest number."""
    drawn = "".join(
        f'<figure><img src="{_png(scale(plane))}" alt=""><figcaption>'
        f"{translate(language, 'features.plane', n=n, lowest=plane.min(), highest=plane.max())}"
        f"</figcaption></figure>"
        for n, plane in enumerate(picture.input, 1)
    )
    st.html(f'<div class="planes">{drawn}</div>')


def features(
    models: Mapping[str, Checkpoint],
    pictures: Mapping[str, Picture],
    language: Language,
    *,
    with_transform: bool,
) -> None:
    """Draw the stages of every model, each on a tab of its own.

    Parameters
    ----------
    models, pictures
        By name of checkpoint, the first one shown first.
    with_transform
        Whether the models' titles tell their transform.
    """
    titles = [plain(m.card.title(with_transform=with_transform)) for m in models.values()]
    for tab, (name, checkpoint) in zip(st.tabs(titles), models.items(), strict=True):
        with tab:
            try:
                stages = features_of(checkpoint, pictures[name])
            except CCMusicError as error:
                st.info(plain(told(error, language)))
                continue
            if stages:
                st.html(_drawn(stages, pictures[name], language))
            else:
                st.info(translate(language, "features.none"))
    _script(key="features_script")


def _drawn(stages: list[Stage], picture: Picture, language: Language) -> str:
    rows = "".join(_row(n, stage, picture, language) for n, stage in enumerate(stages, 1))
    alt = escape(translate(language, "report.picture"))
    return (
        f'<div class="features"><div class="seen"><img src="{_png(picture.pixels)}" alt="{alt}">'
        f'<i class="field" hidden></i></div><div class="stages">{rows}</div></div>'
    )


def _row(number: int, stage: Stage, picture: Picture, language: Language) -> str:
    height, width = picture.input.shape[1:]
    rows, columns = stage.maps.shape[1:]
    said = translate(
        language,
        "features.stage",
        number=number,
        rows=rows,
        columns=columns,
        shown=len(stage.maps),
        of=stage.of,
        field=stage.receptive_field,
    )
    maps = "".join(
        f'<img src="{_png(magma()[scale(values)])}" alt="" title="{channel}">'
        for channel, values in zip(stage.channels, stage.maps, strict=True)
    )
    numbers = {
        "rows": rows,
        "columns": columns,
        "step": stage.step,
        "field": stage.receptive_field,
        "first": stage.first,
        "height": height,
        "width": width,
    }
    data = " ".join(f'data-{name}="{value:g}"' for name, value in numbers.items())
    return f'<p>{escape(said)}</p><div class="maps" {data}>{maps}</div>'


def _png(pixels: npt.NDArray[np.uint8]) -> str:
    return embedded(png(Image.fromarray(pixels)), "png")
