"""CCMusic: a spectrogram of your music, and the genres that five vision networks see in it.

>>> import ccmusic
>>> analysis = ccmusic.analyze("examples/rain.ogg")
>>> analysis.agreement.top
'environment'
>>> [verdict.card.title() for verdict in analysis.verdicts.values()][-1]
'MobileNetV3'

Several recordings share a :class:`Panel`, whose models stay open:

>>> with ccmusic.Panel.open("mel", ["mobilenet_v3_large"]) as panel:
...     [panel.analyze(f"examples/{name}.ogg").transform for name in ("rain", "celtica")]
['mel', 'mel']

Errors that are raised on purpose are :class:`CCMusicError`; :mod:`ccmusic.errors` tells them apart.

What is named here, and :mod:`ccmusic.schema`, is public.
"""

from ccmusic.advice import Advice, OtherTransform
from ccmusic.agreement import Agreement
from ccmusic.analysis import Analysis
from ccmusic.api import analyze, analyze_many
from ccmusic.attention import Attention, Region
from ccmusic.audio import (
    AudioInfo,
    AudioWarning,
    Channel,
    Clip,
    Crop,
    Envelope,
    Recording,
    Source,
    load,
)
from ccmusic.axes import Orientation
from ccmusic.card import (
    Band,
    Calibration,
    DataSource,
    Faithfulness,
    Metrics,
    ModelCard,
    Pair,
    PanelCard,
)
from ccmusic.edits import Change, Edit, OneChannel, Without
from ccmusic.errors import (
    AudioError,
    CCMusicError,
    CheckpointError,
    ClosedError,
    DataError,
    MissingExtraError,
    ParameterError,
    SandboxError,
    WeightsError,
)
from ccmusic.importance import Importance
from ccmusic.panel import Panel
from ccmusic.picture import Picture, Preprocessing
from ccmusic.prepare import Prepared
from ccmusic.result import PanelResult
from ccmusic.spectrogram import (
    Chroma,
    Cqt,
    Mel,
    PadMode,
    Spectrogram,
    Transform,
    TransformChoice,
    TransformName,
    WindowName,
)
from ccmusic.verdict import Verdict
from ccmusic.version import __version__
from ccmusic.whole import WholePiece
from ccmusic.why import Why
from ccmusic.zoo import Checkpoint, Session

__all__ = [
    "Advice",
    "Agreement",
    "Analysis",
    "Attention",
    "AudioError",
    "AudioInfo",
    "AudioWarning",
    "Band",
    "CCMusicError",
    "Calibration",
    "Change",
    "Channel",
    "Checkpoint",
    "CheckpointError",
    "Chroma",
    "Clip",
    "ClosedError",
    "Cqt",
    "Crop",
    "DataError",
    "DataSource",
    "Edit",
    "Envelope",
    "Faithfulness",
    "Importance",
    "Mel",
    "Metrics",
    "MissingExtraError",
    "ModelCard",
    "OneChannel",
    "Orientation",
    "OtherTransform",
    "PadMode",
    "Pair",
    "Panel",
    "PanelCard",
    "PanelResult",
    "ParameterError",
    "Picture",
    "Prepared",
    "Preprocessing",
    "Recording",
    "Region",
    "SandboxError",
    "Session",
    "Source",
    "Spectrogram",
    "Transform",
    "TransformChoice",
    "TransformName",
    "Verdict",
    "WeightsError",
    "WholePiece",
    "Why",
    "WindowName",
    "Without",
    "__version__",
    "analyze",
    "analyze_many",
    "load",
]
