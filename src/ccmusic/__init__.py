"""CCMusic: music becomes a picture, five vision networks say which genre they see.

>>> from ccmusic import analyze
>>> analyze("song.mp3", transform="cqt").agreement.message()  # doctest: +SKIP
'all 5 models hear Jazz'
"""

from ccmusic.analysis import Analysis, analyze
from ccmusic.errors import AudioError, CCMusicError, CheckpointError
from ccmusic.panel import Panel, Verdict
from ccmusic.timeline import Timeline

__version__ = "0.2.0.dev0"

__all__ = [
    "Analysis",
    "AudioError",
    "CCMusicError",
    "CheckpointError",
    "Panel",
    "Timeline",
    "Verdict",
    "analyze",
]
