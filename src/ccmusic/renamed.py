"""Former public names, kept for one release with a :class:`DeprecationWarning`."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def _warn(old: str, new: str) -> None:
    warnings.warn(f"{old} is now called {new}", DeprecationWarning, stacklevel=3)


class RenamedAttribute:
    """An attribute or method of a class under its former name."""

    def __init__(self, new: str) -> None:
        self._new = new

    def __set_name__(self, owner: type, old: str) -> None:
        self._old = f"{owner.__name__}.{old}"

    def __get__(self, instance: object, owner: type) -> Any:
        _warn(self._old, self._new)
        return getattr(owner if instance is None else instance, self._new)


def renamed_names(module: str, **names: str) -> Callable[[str], Any]:
    """Return a module's ``__getattr__`` that finds old names under their new ones."""

    def __getattr__(old: str) -> Any:  # noqa: N807
        if old not in names:
            raise AttributeError(f"module {module!r} has no attribute {old!r}")
        _warn(f"{module}.{old}", names[old])
        return getattr(sys.modules[module], names[old])

    return __getattr__


def renamed_options(**options: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Let a function take keyword options by their former names, too."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
            for old in options.keys() & kwargs.keys():
                _warn(f"{function.__name__}({old}=...)", options[old])
                kwargs[options[old]] = kwargs.pop(old)
            return function(*args, **kwargs)

        return wrapper

    return decorate
