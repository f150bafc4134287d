"""Recordings in, what YAMNet makes of them out.

``python references/yamnet.py --data clips.csv --model yamnet.tflite -o yamnet_features.npz``

YAMNet (M. Plakal, D. Ellis, Google, Apache-2.0) was trained on AudioSet to tell 521 kinds of
sound. Its published TensorFlow Lite file looks at 0.975 s of sound; this script lets it look every
0.48 s at the middle 15 s of each recording. Needs ``pip install ai-edge-litert`` beside the
package ``ccmusic``.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr
from ai_edge_litert.interpreter import Interpreter

from ccmusic.audio import load
from ccmusic.files import replacing
from ccmusic.workshop.data import read_each, read_manifest

RATE = 16_000
SECONDS = 15.0
HOP = 0.48
ACTIVATION = "yamnet_frames/global_average_pooling2d/Mean"

Values = npt.NDArray[np.float32]


def main() -> None:
    """Write features [n, 1024] and mean scores [n, 521] of every row of a manifest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="manifest of recordings")
    parser.add_argument("--model", type=Path, required=True, help="yamnet.tflite")
    parser.add_argument("-o", "--out", type=Path, required=True, help="NPZ to write")
    options = parser.parse_args()

    look = open_network(options.model)
    keys, features, scores = [], [], []
    recordings = read_manifest(options.data)
    clips = read_each(recordings, "YAMNet", lambda r: load(r.path, seconds=SECONDS, loop=False))
    for recording, clip in clips:
        sound = soxr.resample(clip.original, clip.info.sample_rate, RATE)
        activation, score = look(sound)
        keys.append(recording.key)
        features.append(activation)
        scores.append(score)
    with replacing(options.out) as beside, beside.open("wb") as file:
        np.savez(
            file,
            path=np.array(keys),
            features=np.array(features, np.float16),
            scores=np.array(scores, np.float16),
        )


def open_network(model: Path) -> Callable[[Values], tuple[Values, Values]]:
    """A function from sound, float32 [n] at 16 kHz, to mean activation and mean scores."""
    # Tensors in the middle of the network are else overwritten by later ones.
    network = Interpreter(str(model), experimental_preserve_all_tensors=True, num_threads=1)
    network.allocate_tensors()
    wave = network.get_input_details()[0]
    score = network.get_output_details()[0]["index"]
    activation = next(t["index"] for t in network.get_tensor_details() if t["name"] == ACTIVATION)
    length = int(wave["shape"][-1])

    def look(sound: Values) -> tuple[Values, Values]:
        sound = np.pad(sound, (0, max(0, length - len(sound))))
        seen = []
        for start in range(0, len(sound) - length + 1, round(HOP * RATE)):
            network.set_tensor(wave["index"], sound[None, start : start + length])
            network.invoke()
            seen.append([network.get_tensor(i)[0].copy() for i in (activation, score)])
        activations, scores = zip(*seen, strict=True)
        return np.mean(activations, axis=0), np.mean(scores, axis=0)

    return look


if __name__ == "__main__":
    main()
