"""Errors for users; each is one line that says what happened, to which file, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from numbers import Real
from pathlib import Path
from typing import TypeVar

from ccmusic.texts import Language, localized, translate

T = TypeVar("T")
_LEAST_SECONDS = 0.1


class CCMusicError(Exception):
    """Base of all errors raised on purpose; its text is one line for users.

    >>> from ccmusic import load
    >>> try:
    ...     load("missing.mp3")
    ... except CCMusicError as error:
    ...     print(error.message("zh"))
    missing.mp3：文件不存在
    """

    def message(self, language: Language = "en") -> str:
        """The text in a language; in English if it is not known in that one."""
        return localized(str(self), language)


_UNNAMED = ("standard input", "the uploaded file")  # what stands for the name of a file


class CataloguedError(CCMusicError):
    """An error whose text is in the catalogues under ``error.KEY``."""

    def __init__(self, key: str, /, **values: object) -> None:
        super().__init__(translate("en", f"error.{key}", **values))
        self.key, self.values = key, values

    def message(self, language: Language = "en") -> str:
        """The text in a language."""
        values = {
            name: localized(str(value), language)
            if name == "reason" or value in _UNNAMED
            else value
            for name, value in self.values.items()
        }
        return translate(language, f"error.{self.key}", **values)

    @property
    def plain_values(self) -> dict[str, int | float | str]:
        """The values, for other processes: what is no number becomes text."""
        return {k: v if isinstance(v, int | float) else str(v) for k, v in self.values.items()}

    def __reduce__(self) -> tuple[partial[CataloguedError], tuple[()]]:
        """Pickle with the plain values."""
        return partial(type(self), self.key, **self.plain_values), ()


class AudioError(CataloguedError):
    """A file could not be read as audio.

    >>> from ccmusic import load
    >>> load(b"")
    Traceback (most recent call last):
    ccmusic.errors.AudioError: the uploaded file: the file is empty
    """


class SandboxError(CataloguedError):
    """No child process can be started; this is not the fault of a recording.

    >>> from ccmusic import analyze_many
    >>> try:
    ...     analyses = list(analyze_many([], models=["mobilenet_v3_large"]))
    ... except SandboxError as error:
    ...     print(error)
    """


class CheckpointError(CataloguedError):
    """A checkpoint is missing, damaged, or has no valid card.

    >>> from ccmusic import Panel
    >>> try:
    ...     Panel.open("cqt", ["alexnet"])
    ... except CheckpointError as error:
    ...     print(str(error).partition(";")[0])
    unknown model alexnet
    """


class WeightsError(CataloguedError):
    """A weights file cannot be imported.

    >>> print(WeightsError("weights_none", file="save.pt"))
    save.pt: holds no network weights
    """


class ClosedError(CataloguedError):
    """A panel was used after it was closed, or in another process than the one that opened it.

    >>> from ccmusic import Panel
    >>> with Panel.open("cqt", ["mobilenet_v3_large"]) as panel:
    ...     pass
    >>> panel.analyze("examples/rain.ogg")
    Traceback (most recent call last):
    ccmusic.errors.ClosedError: this panel has been closed; open another one with Panel.open()
    """


class ParameterError(CataloguedError, ValueError):
    """A parameter is unknown, or has a value that it cannot have.

    >>> from ccmusic import Mel
    >>> Mel(n_mels=0)
    Traceback (most recent call last):
    ccmusic.errors.ParameterError: Mel: n_mels cannot be 0; it must be int (> 0, <= 1024)
    """


def not_one_of(owner: str, name: str, value: object, *expected: str) -> ParameterError:
    """Error of a parameter that has none of the values that it may have.

    >>> print(not_one_of("Panel", "transform", "stft", "'cqt'", "'mel'"))
    Panel: transform cannot be 'stft'; it must be 'cqt' | 'mel'
    """
    return ParameterError(
        "parameter_value",
        owner=owner,
        name=name,
        value=repr(value),
        expected=" | ".join(expected),
    )


class MissingExtraError(CCMusicError):
    """A feature needs an optional dependency that is not installed.

    >>> print(MissingExtraError("training", "torch"))
    training needs an extra: pip install 'ccmusic[torch]'
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an extra: pip install 'ccmusic[{extra}]'")


class DataError(CCMusicError):
    """Training data or a file of the workshop cannot be used.

    >>> from ccmusic import schema
    >>> schema.read("{}")
    Traceback (most recent call last):
    ccmusic.errors.DataError: not the JSON of an analysis (file: Field required)
    """


def reason_of(error: BaseException) -> str:
    """First line of an error's text, for use in a message; its type if it has none."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def check_count(owner: str, name: str, count: int | None) -> None:
    """Refuse what is no number of workers; None is one by default."""
    if count is not None and (not isinstance(count, int) or count < 1):
        raise not_one_of(owner, name, count, "int >= 1", "None")


def check_seconds(owner: str, name: str, seconds: float) -> None:
    """Refuse what is no time, or one too short for sound: of a nanosecond there are too many."""
    number = isinstance(seconds, Real) and not isinstance(seconds, bool)
    if not (number and _LEAST_SECONDS <= seconds < float("inf")):
        raise not_one_of(owner, name, seconds, f"float >= {_LEAST_SECONDS}")


def attempt(work: Callable[[], T], name: str) -> T | CCMusicError:
    """What work on a recording gives, or the error that it met; one must not stop the others.

    Raises
    ------
    SandboxError
        If no child process can be started: that is the fault of no recording.
    """
    try:
        return work()
    except SandboxError:
        raise
    except Exception as error:
        return as_expected(error, name)


def as_expected(error: Exception, file: str) -> CCMusicError:
    """Convert any error of a file, so that the other files can be processed."""
    if isinstance(error, CCMusicError):
        return error
    reason = f"{type(error).__name__}: {error}".strip(": ").splitlines()[0]
    return CCMusicError(f"{file}: unexpected {reason}")


def without_paths(error: CCMusicError) -> CCMusicError:
    """Make an error that names files of this machine without their folders, for strangers."""
    if not isinstance(error, CataloguedError):
        return error
    values = dict(error.values)
    for name, path in error.values.items():
        # What comes from a child process is text.
        if isinstance(path, Path) or (name == "file" and Path(str(path)).name not in ("", path)):
            for other, value in values.items():  # a library's reason may name the path once more
                values[other] = value if isinstance(value, int | float) else _named(value, path)
    return type(error)(error.key, **values)


def _named(value: object, path: object) -> str:
    return str(value).replace(str(path), Path(str(path)).name)
