"""A tour of four steps, and the pictures' keys: what helps to find one's way about the page."""

from __future__ import annotations

from pathlib import Path

from ccmusic.dashboard.component import component
from ccmusic.dashboard.markup import STATUS
from ccmusic.texts import Language, translate

_HERE = Path(__file__).parent
STEPS = {
    "listen": ".st-key-sound",
    "look": ".st-key-spectrograms",
    "compare": ".models",
    "ask": ".st-key-maps",
}
"""Of the tour: what it is about, and where on the page that is."""
_WORDS = ("open", "end", "back", "next", "done")

_tour = component("tour", "tour.js", css=(_HERE / "tour.css").read_text("utf-8"))
_keyboard = component("keyboard", "keyboard.js", html=STATUS)


def tour(language: Language) -> None:
    """Button that opens the tour; it never opens by itself."""
    words = {word: translate(language, f"tour.{word}") for word in _WORDS}
    steps = [
        {
            "selector": selector,
            "title": translate(language, f"tour.{step}_title"),
            "text": translate(language, f"tour.{step}"),
        }
        for step, selector in STEPS.items()
    ]
    _tour(key="tour", data={**words, "steps": steps}, width="content")


def keyboard(language: Language) -> None:
    """Let the arrow keys move a cursor over the pictures."""
    words = {word: translate(language, f"keyboard.{word}") for word in ("picture", "waveform")}
    _keyboard(key="keyboard", data=words)
