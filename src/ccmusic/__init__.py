"""CCMusic: a spectrogram of your music, and the genres that five vision networks see in it.

>>> from ccmusic import analyze
>>> analyze("song.mp3", transform="cqt").agreement.message()  # doctest: +SKIP
'all 5 models hear Jazz'
"""

from ccmusic.analysis import Analysis
from ccmusic.api import analyze
from ccmusic.errors import AudioError, CCMusicError, CheckpointError
from ccmusic.panel import Panel
from ccmusic.timeline import Timeline
from ccmusic.verdict import Verdict

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
