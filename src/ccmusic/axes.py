"""The Matplotlib axis that a caller gives, or the current one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ccmusic.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def axes_or_current(ax: Axes | None) -> Axes:
    """Return the axis that was given; by default that of pyplot, loaded only then.

    Raises
    ------
    MissingExtraError
        If none was given and Matplotlib is not installed.
    """
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError:
        raise MissingExtraError("plotting with Matplotlib", "plot") from None
    return pyplot.gca()
