"""What is done to a sound before it is judged: a region removed, or pitch, tempo, band changed.

Filters multiply the Fourier transform by a real gain, so they have zero phase: nothing is delayed,
and what is removed is subtracted exactly (A. V. Oppenheim, R. W. Schafer, "Discrete-Time Signal
Processing", 3rd edition, 2010, chapters 5 and 8). Their edges are halves of Hann windows, whose
ringing dies away fastest for their width (F. J. Harris, "On the use of windows for harmonic
analysis with the discrete Fourier transform", Proceedings of the IEEE 66 (1), 1978).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

import numpy as np
import soxr
from pydantic import ConfigDict, Field, model_validator

from ccmusic.decode import Channel, Samples, change_tempo
from ccmusic.errors import ParameterError
from ccmusic.frames import carry
from ccmusic.texts import Language, translate
from ccmusic.values import Parameters

_SEMITONE = 2 ** (1 / 12)
# Width of the edges of a band: a semitone, as fine as the models see, but no less than these hertz,
# whose ringing is as long as the longest filters of the CQT.
_LEAST_EDGE = 4.0
_FADE = 0.05  # seconds: two frames of a spectrogram
_CONTEXT = 0.5  # seconds until the ringing of the sharpest edge has died away
_AT_ONCE = 60.0  # seconds; a piece may be half an hour long
_FAST = (8, 9, 10, 12, 15)  # times a power of 2: lengths whose Fourier transform is quick

_Span = tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(gt=0)]]


class _Edit(Parameters):
    """Base of edits, which are a part of the JSON of an analysis, with what is None as null."""

    model_config = ConfigDict(
        json_schema_serialization_defaults_required=True,
        json_schema_extra=lambda schema: schema.update(
            description=schema["description"].partition("\n")[0]  # without the example
        ),
    )


class Without(_Edit):
    """A region of time and frequency is removed.

    >>> Without(band=(64, 127), seconds=(2, 4)).message("en")
    'without 64–127 Hz at 2.0–4.0 s'

    All of the region is gone. The edges lie outside it: a semitone (4 Hz at least) at both ends of
    the band, 50 ms at both ends of the time.
    """

    edit: Literal["without"] = "without"
    band: _Span | None = Field(
        None, examples=[[64, 127]], description="Lowest and highest frequency, hertz; None for all."
    )
    seconds: _Span | None = Field(
        None,
        description="Begin and end, in seconds of the piece, as regions have them; "
        "None for the whole window.",
    )

    @model_validator(mode="after")
    def _is_a_region(self) -> Self:
        if self.band is None and self.seconds is None:
            raise ParameterError("no_region")
        for name, span in (("band", self.band), ("seconds", self.seconds)):
            if span and span[0] >= span[1]:
                raise ParameterError("empty_span", name=name, low=span[0], high=span[1])
        return self

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a region from text, as the command line has it.

        >>> Without.parse("64-127Hz,2-4s")
        Without(edit='without', band=(64.0, 127.0), seconds=(2.0, 4.0))

        Raises
        ------
        ParameterError
            If it is no region.
        """
        found: dict[str, tuple[float, float]] = {}
        for part in text.lower().replace(" ", "").split(","):
            name = "band" if part.endswith("hz") else "seconds" if part.endswith("s") else ""
            low, dash, high = part.removesuffix("hz").removesuffix("s").partition("-")
            try:
                span = float(low), float(high)
            except ValueError:
                name = ""
            if not name or not dash or name in found:
                raise ParameterError("not_a_region", text=text)
            found[name] = span
        return cls(**found)

    def message(self, language: Language = "en") -> str:
        """What was removed, in a language."""
        values: dict[str, float] = {}
        if self.band:
            values["lowest"], values["highest"] = self.band
        if self.seconds:
            values["start"], values["end"] = self.seconds
        kind = "region" if len(values) == 4 else "band" if self.band else "seconds"
        return translate(language, f"edit.without_{kind}", **values)

    def apply(self, sound: Samples, rate: int, start: float, *, within: bool = True) -> Samples:
        """Remove the region from mono samples, float32 [n], that begin at a second of the piece.

        Parameters
        ----------
        within
            Whether a region before or after these samples is refused.

        Raises
        ------
        ParameterError
            If the region lies outside, or begins beyond half the sample rate.
        """
        low, high = self.band or (0.0, rate / 2)
        _check_reach("Without", low, rate)
        if self.seconds is None:
            return sound - _band(sound, rate, low, high)
        begin, end = (round((second - start) * rate) for second in self.seconds)
        fade = round(_FADE * rate)
        first, last = max(0, begin - fade), min(len(sound), end + fade)
        if begin >= len(sound) or end <= 0:
            if within:
                values = {"first": self.seconds[0], "last": self.seconds[1], "start": start}
                raise ParameterError("outside_window", **values, end=start + len(sound) / rate)
            return sound
        removed = sound[first:last]
        if self.band:
            context = round(_CONTEXT * rate)
            before = min(first, context)
            around = _band(sound[first - before : last + context], rate, low, high)
            removed = around[before : before + last - first]
        places = np.arange(first, last)
        weights = _edge((places - begin) / fade + 1) * _edge((end - places) / fade + 1)
        result = sound.copy()
        result[first:last] -= weights * removed
        return result


class Change(_Edit):
    """Pitch, tempo, band, noise or loudness are changed, in this order; what is None is not.

    >>> Change(pitch=2, gain=-6).message("en")
    'pitch +2 semitones; gain −6 dB'
    """

    names: ClassVar = ("pitch", "tempo", "highpass", "lowpass", "noise", "gain")

    edit: Literal["change"] = "change"
    pitch: float | None = Field(
        None, ge=-12, le=12, examples=[2], description="Semitones up; the tempo stays."
    )
    tempo: float | None = Field(
        None, ge=0.5, le=2, description="How many times as fast; the pitch stays."
    )
    highpass: float | None = Field(None, gt=0, description="Hertz; all below is removed.")
    lowpass: float | None = Field(None, gt=0, description="Hertz; all above is removed.")
    noise: float | None = Field(
        None,
        ge=-20,
        le=80,
        description="White noise is added: dB by which the sound is louder than it. The same "
        "sound gets the same noise.",
    )
    gain: float | None = Field(
        None,
        ge=-60,
        le=40,
        description="Decibels; what passes full scale is cut off, as every player would.",
    )

    @model_validator(mode="after")
    def _changes(self) -> Self:
        if all(getattr(self, name) is None for name in self.names):
            raise ParameterError("no_change", known=", ".join(self.names))
        if self.highpass and self.lowpass and self.highpass >= self.lowpass:
            raise ParameterError("nothing_passes", highpass=self.highpass, lowpass=self.lowpass)
        return self

    def message(self, language: Language = "en") -> str:
        """What was changed, in a language."""
        given = ((name, getattr(self, name)) for name in self.names)
        told = [translate(language, f"edit.{n}", value=v) for n, v in given if v is not None]
        return translate(language, "list.parts").join(told)

    def apply(self, sound: Samples, rate: int) -> Samples:
        """Change mono samples, float32 [n].

        Raises
        ------
        ParameterError
            If a filter lies beyond half the sample rate.
        """
        for edge in (self.highpass, self.lowpass):
            _check_reach("Change", edge or 0.0, rate)
        ratio, tempo = 2 ** ((self.pitch or 0) / 12), self.tempo or 1.0
        length = round(len(sound) / tempo)
        if ratio != 1:  # played faster, it is higher; then it gets its length back
            sound = np.asarray(soxr.resample(sound, rate * ratio, rate), np.float32)
        if tempo != ratio:
            sound = change_tempo(sound, rate, tempo / ratio, length)
        if self.highpass:
            sound = sound - _band(sound, rate, 0, self.highpass)
        if self.lowpass:
            sound = sound - _band(sound, rate, self.lowpass, rate / 2)
        if self.noise is not None:
            random = np.random.default_rng(zlib.crc32(sound.tobytes()))
            power = float(np.mean(np.square(sound, dtype=np.float64)))
            scale = np.float32(np.sqrt(power) * 10 ** (-self.noise / 20))
            sound = sound + scale * random.standard_normal(len(sound), np.float32)
        if self.gain is not None:
            sound = np.clip(sound * np.float32(10 ** (self.gain / 20)), -1, 1)
        return sound


class OneChannel(_Edit):
    """One channel was taken instead of the mean of all.

    This is done when a recording is read, see :func:`ccmusic.load`: a clip has been mixed.

    >>> from ccmusic import load
    >>> load("examples/rain.ogg", channel="left").edits
    (OneChannel(edit='channel', channel='left'),)
    """

    edit: Literal["channel"] = "channel"
    channel: Channel

    def message(self, language: Language = "en") -> str:
        """Which channel, in a language."""
        return translate(language, f"edit.{self.channel}")


Edit: TypeAlias = Without | Change | OneChannel
"""What was done to a sound; in JSON, ``edit`` tells which."""

carry(Without, Change, OneChannel)


def arrange(
    channel: Channel | None, regions: Iterable[Without], change: Mapping[str, float]
) -> tuple[Edit, ...]:
    """Edits in the order in which they are done: the channel, then the regions, then the changes.

    >>> arrange(None, [Without(band=(64, 127))], {"pitch": 2})[1].message("en")
    'pitch +2 semitones'

    Raises
    ------
    ParameterError
        If a change has a value that it cannot have.
    """
    return (
        *([OneChannel(channel=channel)] if channel else ()),
        *regions,
        *([Change(**change)] if change else ()),
    )


def message(edits: Sequence[Edit], language: Language) -> str:
    """One line about all of them: ``edited: without 64–127 Hz; pitch +2 semitones``."""
    told = translate(language, "list.parts").join(edit.message(language) for edit in edits)
    return translate(language, "edit.title", edits=told)


def _check_reach(owner: str, hertz: float, rate: int) -> None:
    if hertz >= rate / 2:
        raise ParameterError("beyond_nyquist", owner=owner, reach=hertz, nyquist=rate / 2)


def _band(sound: Samples, rate: int, low: float, high: float) -> Samples:
    """What lies between two frequencies, float32 of the same shape, in zero phase."""
    context = round(_CONTEXT * rate)
    size = _fast(min(len(sound), round(_AT_ONCE * rate)) + 2 * context)
    step = size - 2 * context
    hertz = np.fft.rfftfreq(size, 1 / rate).astype(np.float32)
    gain = np.ones_like(hertz)
    if low > 0:
        gain *= _edge((hertz - low) / max(_LEAST_EDGE, low * (1 - 1 / _SEMITONE)) + 1)
    if high < rate / 2:
        gain *= _edge((high - hertz) / max(_LEAST_EDGE, high * (_SEMITONE - 1)) + 1)
    # Mirrored, the sound goes on beyond its ends without a click.
    padded = np.pad(sound, context, mode="reflect")
    result = np.empty_like(sound)
    for first in range(0, len(sound), step):
        spectrum = np.fft.rfft(padded[first : first + size], size)
        part = np.fft.irfft(spectrum * gain, size)[context : context + len(sound) - first]
        result[first : first + step] = part[:step]
    return result


def _edge(places: Any) -> Samples:
    """Half a Hann window: 0 up to 0, 1 from 1 on."""
    return np.asarray(np.sin(np.pi / 2 * np.clip(places, 0, 1)) ** 2, np.float32)


def _fast(size: int) -> int:
    return min(f << max(0, (-(-size // f) - 1).bit_length()) for f in _FAST)
