"""Five verdicts beside PyTorch's five forward passes, in one run: ``python benchmarks/panel.py``.

Needs the extra ``torch``. The reference is fp32, channels-last, one network after the other, on
all cores: first at the width of the published networks, then at that of the shipped ones. The
panel is timed from opening the file to the finished JSON, models loaded; then five models at once
are held against the same five in turn.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from timing import keep, median_ms

ROOT = Path(__file__).parent.parent
SONG = ROOT / "examples" / "vibe_ace.ogg"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10)
    repeats = parser.parse_args().repeats

    import torch

    from ccmusic import Panel
    from ccmusic.panel import available_cores
    from ccmusic.workshop.backbones import BACKBONES, build
    from ccmusic.zoo import find

    picture = torch.rand(1, 3, 224, 224).to(memory_format=torch.channels_last)

    def passes(widths: dict[str, int]) -> Callable[[], None]:
        networks = [
            build(name, n_classes=13, width_divisor=divisor)  # type: ignore[call-overload]
            .eval()
            .to(memory_format=torch.channels_last)
            for name, divisor in widths.items()
        ]

        def reference() -> None:
            with torch.inference_mode():
                for network in networks:
                    network(picture)

        return reference

    shipped = {c.card.backbone: c.card.width_divisor for c in find("cqt")}
    with Panel.open("cqt") as panel:
        analysis = panel.analyze(SONG)

        def file_to_json() -> None:
            json.dumps(panel.analyze(SONG).to_dict())

        def at_once() -> None:
            for _ in panel.run(analysis.pictures):
                pass

        sessions = [checkpoint.open(threads=available_cores()) for checkpoint in panel.checkpoints]
        ((drawn,),) = analysis.pictures.values()

        def in_turn() -> None:
            for session in sessions:
                session.run(["logits", "maps"], {"picture": drawn.input[None]})

        reference_ms, same_ms, panel_ms, at_once_ms, in_turn_ms = median_ms(
            passes(dict.fromkeys(BACKBONES, 1)),
            passes(shipped),
            file_to_json,
            at_once,
            in_turn,
            repeats=repeats,
        )
    rows = {
        "torch_fp32_five_passes_ms": reference_ms,
        "torch_fp32_same_networks_ms": same_ms,
        "file_to_json_ms": panel_ms,
        "file_to_json_ratio": panel_ms / reference_ms,
        "file_to_json_over_same_networks": panel_ms / same_ms,
        "five_at_once_ms": at_once_ms,
        "five_in_turn_ms": in_turn_ms,
        "at_once_over_in_turn": at_once_ms / in_turn_ms,
    }
    keep("panel", rows)


if __name__ == "__main__":
    main()
