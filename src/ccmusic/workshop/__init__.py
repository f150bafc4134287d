"""Everything that needs PyTorch: backbones, training data, training, evaluation, export."""

from ccmusic.errors import MissingExtraError

try:
    import torch  # noqa: F401
except ImportError:
    raise MissingExtraError("the workshop (train, evaluate, export)", "torch") from None
