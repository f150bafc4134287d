"""Sounds that a program has made, on all cores."""

import numpy as np

from ccmusic import CCMusicError, analyze_many

rate = 16_000
time = np.arange(8 * rate) / rate
noise = np.random.default_rng(0)
batch = {
    "wind": noise.normal(scale=0.2, size=time.size),
    "hum": 0.5 * np.sin(2 * np.pi * 50 * time),
    "stereo": np.stack([np.sin(2 * np.pi * 220 * time), np.sin(2 * np.pi * 330 * time)]) / 2,
    "nothing": np.zeros(time.size),
    "wrong": np.array(["no", "sound"]),
}
found = analyze_many([(samples, rate) for samples in batch.values()], models=["mobilenet_v3_large"])
for name, analysis in zip(batch, found, strict=True):
    if isinstance(analysis, CCMusicError):
        print(name, "error:", analysis)
    else:
        print(name, analysis.judged, [genre for genre, _ in analysis.top(1)])
