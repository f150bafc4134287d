"""Errors for users; each is one line that says what happened, to which file, and what to do."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ccmusic.texts import Language, translate


class CCMusicError(Exception):
    """Base of all errors raised on purpose; its text is one line for users."""

    def message(self, language: Language = "en") -> str:
        """The text in a language; in English if the catalogue does not have it."""
        return str(self)


class CataloguedError(CCMusicError):
    """An error whose text is in the catalogues under ``error.KEY``."""

    def __init__(self, key: str, /, **values: object) -> None:
        super().__init__(translate("en", f"error.{key}", **values))
        self.key, self.values = key, values

    def message(self, language: Language = "en") -> str:
        """The text in a language."""
        return translate(language, f"error.{self.key}", **self.values)

    @property
    def plain_values(self) -> dict[str, int | float | str]:
        """The values, for other processes: what is no number becomes text."""
        return {k: v if isinstance(v, int | float) else str(v) for k, v in self.values.items()}

    def __reduce__(self) -> tuple[partial[CataloguedError], tuple[()]]:
        """Pickle with the plain values."""
        return partial(type(self), self.key, **self.plain_values), ()


class AudioError(CataloguedError):
    """A file could not be read as audio."""


class SandboxError(CataloguedError):
    """No child process can be started; this is not the fault of a recording."""


class CheckpointError(CataloguedError):
    """A checkpoint is missing, damaged, or has no valid card."""


class WeightsError(CataloguedError):
    """A weights file cannot be imported."""


class ClosedError(CataloguedError):
    """A panel was used after it was closed, or in another process than the one that opened it."""


class ParameterError(CataloguedError, ValueError):
    """A parameter is unknown, or has a value that it cannot have."""


class MissingExtraError(CCMusicError):
    """A feature needs an optional dependency that is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an extra: pip install 'ccmusic[{extra}]'")


class DataError(CCMusicError):
    """Training data or a file of the workshop cannot be used."""


def reason_of(error: BaseException) -> str:
    """First line of an error's text, for use in a message; its type if it has none."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


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
