"""Export of trained weights as a checkpoint: an ONNX file and its measured card."""

from __future__ import annotations

import hashlib
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ccmusic.card import ModelCard
from ccmusic.errors import CheckpointError
from ccmusic.options import ExportOptions
from ccmusic.picture import Preprocessing
from ccmusic.runtime import open_onnx
from ccmusic.workshop.data import count_sources, read_manifest
from ccmusic.workshop.evaluate import fit_temperature, held_out, infer, measure
from ccmusic.workshop.runs import load_weights, read_log
from ccmusic.zoo import SHIPPED, Checkpoint, store, user_folder

_TIMINGS = 15


def export(
    weights: Path,
    manifest: Path,
    options: ExportOptions,
    *,
    out: Path | None = None,
) -> Checkpoint:
    """Convert, calibrate, measure and write a checkpoint.

    Parameters
    ----------
    weights
        ``weights.pt`` of :func:`ccmusic.workshop.train.train`.
    manifest
        Its ``valid`` split gives temperature and metrics.
    options
        Texts for the card, its name, and how the weights are stored.
    out
        Folder; the user's own by default.

    Raises
    ------
    DataError
        If the weights or the manifest cannot be used.
    CheckpointError
        If the network gives scores that are no numbers, or its weights do not fit the precision.
    """
    network, plan = load_weights(weights)
    preprocessing = Preprocessing.default(plan.transform)
    drawn = list(held_out(manifest, plan.classes, [preprocessing]))
    recordings = [recording for recording, _ in drawn]
    pictures = [picture for _, of in drawn for picture in of[preprocessing]]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        path = Path(scratch) / "network.onnx"
        to_onnx(network, preprocessing, path)
        exact = infer(open_onnx(path), pictures, preprocessing)
        if not np.isfinite(exact).all():
            raise CheckpointError("onnx_not_finite", file=weights)
        if options.precision == "fp16":
            to_fp16(path, source=weights)
        content = path.read_bytes()
        relative_latency = _relative_latency(path, preprocessing)
        logits = infer(open_onnx(path), pictures, preprocessing)
    temperature = fit_temperature(logits, recordings, plan.classes)
    card = ModelCard(
        name=options.name or f"{plan.backbone}_{plan.transform}",
        backbone=plan.backbone,
        preprocessing=preprocessing,
        classes=plan.classes,
        temperature=temperature,
        width_divisor=plan.width_divisor,
        parameters=sum(p.numel() for p in network.parameters()),
        multiply_adds=count_multiply_adds(network, preprocessing),
        precision=options.precision,
        same_choice=float((logits.argmax(axis=1) == exact.argmax(axis=1)).mean()),
        relative_latency=relative_latency,
        sha256=hashlib.sha256(content).hexdigest(),
        metrics=measure(logits, recordings, plan.classes, temperature=temperature, split="valid"),
        data=options.data_note,
        sources=count_sources(
            r
            for r in read_manifest(manifest)
            if (r.split == "train" and r.genre)
            or (r.split != "valid" and (plan.n_soft or plan.taught))
        ),
        licence=options.licence,
        learning_curve=read_log(weights.parent),
        notes=(
            *([f"Training began from {plan.init_from}."] if plan.init_from else []),
            *(options.note or []),
        ),
    )
    return store(card, content, out or user_folder())


def to_onnx(
    network: nn.Module,
    preprocessing: Preprocessing,
    path: Path,
    *,
    outputs: Sequence[str] = ("logits", "maps"),
) -> None:
    """Write a graph from ``picture`` [n, channels, size, size] to ``logits`` and ``maps``, fp32."""
    example = torch.zeros(2, *preprocessing.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            (example,),
            path,
            input_names=["picture"],
            output_names=list(outputs),
            dynamic_shapes=({0: torch.export.Dim("n")},),
            external_data=False,
            verbose=False,
        )
    _forget_origin(path)


def _forget_origin(path: Path) -> None:
    """Remove the exporter's notes on the source of each node, which include paths."""
    model = onnx.load(path)
    for part in (
        model,
        model.graph,
        *model.graph.node,
        *model.graph.input,
        *model.graph.output,
        *model.graph.initializer,
        *model.graph.value_info,
    ):
        del part.metadata_props[:]
        part.ClearField("doc_string")
    onnx.save(model, path)


def _relative_latency(path: Path, preprocessing: Preprocessing) -> float:
    """Time of a network divided by that of the shipped MobileNetV3: one thread, in turn, median."""
    card = ModelCard.read(SHIPPED / "mobilenet_v3_large_cqt.json")
    reference = Checkpoint(card, SHIPPED / f"{card.name}.onnx").open(threads=1)
    timed = ((open_onnx(path, threads=1), preprocessing), (reference, card.preprocessing))
    seconds = np.zeros((_TIMINGS, len(timed)))
    for row in seconds:
        for column, (session, its) in enumerate(timed):
            picture = np.zeros((1, *its.shape), np.float32)
            started = time.perf_counter()
            session.run(["logits"], {"picture": picture})
            row[column] = time.perf_counter() - started
    return float(np.median(seconds[:, 0] / seconds[:, 1]))


def to_fp16(path: Path, *, source: Path) -> None:
    """Store large constants as halves, each followed by a cast that is folded on loading.

    Raises
    ------
    CheckpointError
        If one is too large for a half; it calls the file by its ``source``.
    """
    model = onnx.load(path)
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < 64:
            continue
        name = tensor.name
        values = numpy_helper.to_array(tensor)
        largest = float(np.abs(values).max())
        if not largest <= float(np.finfo(np.float16).max):
            raise CheckpointError("fp16_overflow", file=source, name=name, value=largest)
        halves = values.astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(halves, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save(model, path)


def count_multiply_adds(network: nn.Module, preprocessing: Preprocessing) -> int:
    """Multiply-adds of one picture through convolutions, linear layers and attention."""
    # Not in inference mode, in which PyTorch fuses the layers around an attention.
    with FlopCounterMode(display=False) as counter:
        network.eval()(torch.zeros(1, *preprocessing.shape))
    return int(counter.get_total_flops()) // 2
