"""The Matplotlib axis that a caller gives, or the current one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def axes_or_current(ax: Axes | None) -> Axes:
    """Return the axis that was given; by default that of pyplot, loaded only then."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.gca()
