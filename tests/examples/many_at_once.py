"""Several recordings at the same time, without blocking an event loop."""

import asyncio
from pathlib import Path

from ccmusic import AudioError, Panel


async def main():
    songs = [*sorted(Path("music").iterdir()), Path("missing.mp3")]
    with Panel.open("cqt", ["mobilenet_v3_large"]) as panel:
        tasks = (panel.aanalyze(song) for song in songs)
        found = await asyncio.gather(*tasks, return_exceptions=True)
    for song, analysis in zip(songs, found, strict=True):
        failed = isinstance(analysis, AudioError)
        print(song.name, analysis.message() if failed else analysis.top(1)[0][0])


asyncio.run(main())
