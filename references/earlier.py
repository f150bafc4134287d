"""Write the checkpoints of version 0.1 as first weights: ``references/earlier.py clips.csv OUT``.

Those of ``references/make.py`` go on from version 0.1, which is in the repository's history.
Three of their backbones were widened copies of narrow networks, in which every channel was there
twice or four times; here they are made narrow again, and int8 becomes float. OUT gets
``BACKBONE_TRANSFORM.pt`` for each, which ``ccmusic train --init-from`` takes. Needs a clone with
its history.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper
from rich.progress import track

from ccmusic.files import replacing
from ccmusic.genres import GENRES
from ccmusic.picture import Preprocessing, normalise
from ccmusic.workshop.backbones import build
from ccmusic.workshop.data import calibration_pictures
from ccmusic.workshop.initialise import unfold
from ccmusic.workshop.runs import Plan, stored
from networks import NETWORKS, TRANSFORMS

REVISION = "3232601"

Tensors = dict[str, torch.Tensor]


def earlier(manifest: Path, out: Path) -> None:
    """Write all that are not there yet."""
    out.mkdir(parents=True, exist_ok=True)
    for transform in TRANSFORMS:
        preprocessing = Preprocessing.default(transform)
        missing = [b for b in NETWORKS if not (out / f"{b}_{transform}.pt").exists()]
        pictures = calibration_pictures(manifest, preprocessing) if missing else []
        batch = torch.from_numpy(np.array([normalise(p, preprocessing) for p in pictures]))
        for backbone in track(missing, description=f"{transform} of version 0.1"):
            name = f"{backbone}_{transform}"
            divisor = NETWORKS[backbone].width_divisor
            network = build(backbone, n_classes=len(GENRES), width_divisor=divisor).eval()
            shapes = {key: tensor.shape for key, tensor in network.state_dict().items()}
            tensors, biases = read_graph(former(f"{name}.onnx"))
            tensors = {k: narrow(t, shapes[k]) for k, t in tensors.items() if k in shapes}
            biases = {k: narrow(b, shapes[k][:1]) for k, b in biases.items()}
            unfold(network, tensors, biases, batch, heads=True)
            plan = Plan(
                backbone=backbone,
                transform=transform,
                classes=tuple(json.loads(former(f"{name}.json"))["classes"]),
                n_soft=0,
                taught=True,
                epochs=0,
                crop_width=64,
                final_epochs=0,
                batch_size=32,
                learning_rate=0,
                bf16=False,
                seed=0,
                width_divisor=divisor,
            )
            content = {"plan": stored(plan), "network": network.state_dict()}
            with replacing(out / f"{name}.pt") as beside:
                torch.save(content, beside)


def former(name: str) -> bytes:
    """Content of a file of a shipped checkpoint as it was in version 0.1."""
    path = f"{REVISION}:src/ccmusic/checkpoints/{name}"
    return subprocess.run(
        ["git", "show", path], cwd=Path(__file__).parent, check=True, capture_output=True
    ).stdout


def read_graph(content: bytes) -> tuple[Tensors, Tensors]:
    """All weights by name, and the bias of each convolution by the name of its weights."""
    graph = onnx.load_from_string(content).graph
    stored = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    made = {output: node for node in graph.node for output in node.output}

    def values(name: str) -> npt.NDArray[np.float32]:
        if name in stored:
            return stored[name].astype(np.float32)
        node = made[name]
        if node.op_type == "Cast":
            return values(node.input[0])
        whole, scale, zero = (stored[each].astype(np.float32) for each in node.input)
        across = (-1, *[1] * (whole.ndim - 1))
        return (whole - zero.reshape(across)) * scale.reshape(across)

    tensors, biases = {}, {}
    for node in graph.node:
        if node.op_type == "Conv":
            name = node.input[1].removesuffix("_DequantizeLinear_Output")
            tensors[name] = torch.from_numpy(values(node.input[1]))
            if len(node.input) > 2:
                biases[name] = torch.from_numpy(values(node.input[2]))
        elif node.op_type == "BatchNormalization":
            tensors.update({name: torch.from_numpy(values(name)) for name in node.input[1:]})
    return tensors, biases


def narrow(tensor: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Undo :func:`ccmusic.workshop.initialise.widen`."""
    for axis, size in enumerate(shape[:2]):
        times = tensor.shape[axis] // size
        copies = torch.unflatten(tensor, axis, (size, times))
        tensor = copies.mean(axis + 1) if axis == 0 else copies.sum(axis + 1)
    return tensor


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("out", type=Path)
    earlier(**vars(parser.parse_args()))
