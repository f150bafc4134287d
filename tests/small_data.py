import csv
import wave
from pathlib import Path

import numpy as np

GENRES = ("hum", "hiss")


def _sound(genre: str, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(3 * 22_050) / 22_050
    if genre == "hiss":
        return 0.2 * rng.normal(size=t.size)
    root = rng.uniform(80, 300)
    return np.asarray(sum(0.2 / k * np.sin(2 * np.pi * root * k * t) for k in (1, 2, 3)))


def write_manifest(folder: Path) -> Path:
    """Thirty-two sounds of two genres, one of them unlabelled."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(32):
        genre = GENRES[number % 2]
        name = f"{genre}{number}.wav"
        samples = np.clip(_sound(genre, rng), -1, 1)
        with wave.open(str(folder / name), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(22_050)
            file.writeframes((samples * 32_000).astype("<i2").tobytes())
        split = "valid" if number >= 24 else "train"
        rows.append({"path": name, "genre": genre, "group": name, "split": split})
    rows[0].update(genre="", split="pool")
    path = folder / "manifest.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    soft = folder / "soft.csv"
    soft.write_text(
        "path,steady\n" + "".join(f"{r['path']},{float('hum' in r['path'])}\n" for r in rows)
    )
    return path
