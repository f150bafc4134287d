"""Write the tables of figures into both READMEs and docs: ``python tools/figures.py [--check]``.

Accuracy comes from the cards of the shipped checkpoints, speed from ``benchmarks/results``. With
``--check`` nothing is written, and the exit status is 1 if a table has drifted.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from ccmusic.card import Metrics, ModelCard
from ccmusic.genres import genre_name
from ccmusic.zoo import SHIPPED
from tables import panels, share, table, update

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"

WORDS = {
    "en": {
        "models": (
            "model | accuracy | mean recall | best and weakest genre | parameters | size"
        ),
        "on": "{n} recordings of the split `{split}`; in brackets, 95 % bootstrap intervals.",
        "mean_all": "mean of all ten",
        "mean_cqt": "mean of the five, CQT",
        "mean_mel": "mean of the five, Mel",
        "speed": "what | measured | reference in the same run | ratio",
        "file": "five verdicts, from file to JSON, models loaded",
        "torch": "PyTorch fp32, the five forward passes alone, in turn",
        "once": "five models at once",
        "turn": "the same five in turn, each on all cores",
        "cqt": "CQT of 10 s",
        "mel": "Mel of 10 s",
        "librosa": "librosa, warm",
        "first": "CQT, first call of a fresh install",
        "librosa_first": "librosa",
        "cold": "`ccmusic classify` of one clip, cold start",
        "scripted": "a script with librosa and PyTorch",
        "memory": "memory with five models loaded, after three clips",
        "fp32": "PyTorch fp32 and librosa",
        "disk": "a clean installation, on disk (download {download:.0f} MB)",
        "wheels": "PyTorch for processors, torchvision, librosa",
        "page": "dashboard: an example chosen, all verdicts on the screen",
        "page_ms": "median {median:.0f} ms, worst {worst:.0f} ms",
        "decode": "decoding the centre of a five-minute MP3",
        "load": "`librosa.load` of the same 10 s",
        "whole": "MobileNetV3 over four minutes, a window every 5 s",
        "windows": "window after window of the file",
        "cores": "Measured on {cores} cores; look at the ratios, not at the milliseconds.",
        "batch": "`ccmusic batch`, {n} MP3s of 10 s to a table",
        "loop": "plain loop, librosa and PyTorch fp32",
        "rate": "{rate:.1f} clips/s",
        "service": "`ccmusic serve`, {n} clients at once",
        "answers": "{rate:.1f} answers/s; median {median:.1f} s, 95 % within {p95:.1f} s",
    },
    "zh": {
        "models": "模型 | 准确率 | 各流派平均召回率 | 最好与最弱的流派 | 参数量 | 大小",
        "on": "在 `{split}` 部分的 {n} 个录音上实测；括号内为 95 % 自助法区间。",
        "mean_all": "全部十个的平均",
        "mean_cqt": "五个的平均，CQT",
        "mean_mel": "五个的平均，梅尔",
        "speed": "项目 | 实测 | 同次运行的参照 | 比值",
        "file": "五个判断，从文件到 JSON，模型已加载",
        "torch": "PyTorch fp32，仅五次前向计算，依次进行",
        "once": "五个模型同时运行",
        "turn": "同样五个依次运行，各用全部核心",
        "cqt": "10 秒的 CQT",
        "mel": "10 秒的梅尔频谱",
        "librosa": "librosa（预热后）",
        "first": "CQT，新安装后的首次调用",
        "librosa_first": "librosa",
        "cold": "冷启动 `ccmusic classify` 一个片段",
        "scripted": "用 librosa 与 PyTorch 的脚本",
        "memory": "加载五个模型并判断三个片段后的内存",
        "fp32": "PyTorch fp32 与 librosa",
        "disk": "全新安装占用的磁盘（下载 {download:.0f} MB）",
        "wheels": "PyTorch（仅 CPU）、torchvision、librosa",
        "page": "仪表盘：选定示例，到全部判断显示在屏幕上",
        "page_ms": "中位数 {median:.0f} ms，最长 {worst:.0f} ms",
        "decode": "解码一首五分钟 MP3 的正中 10 秒",
        "load": "`librosa.load` 同样的 10 秒",
        "whole": "MobileNetV3 听四分钟，每 5 秒一个窗口",
        "windows": "逐个窗口读取文件",
        "cores": "在 {cores} 个核心上测得；请看比值，不要看毫秒数。",
        "batch": "`ccmusic batch`：{n} 个 10 秒 MP3 到一张表",
        "loop": "librosa 与 PyTorch fp32 的普通循环",
        "rate": "每秒 {rate:.1f} 个片段",
        "service": "`ccmusic serve`：{n} 个客户端同时请求",
        "answers": "每秒 {rate:.1f} 个回答；中位数 {median:.1f} 秒，95 % 在 {p95:.1f} 秒内",
    },
}  # fmt: skip


def models(language: str) -> str:
    words = WORDS[language]

    def measured(metrics: Metrics) -> list[str]:
        ranking = sorted(metrics.recall, key=lambda genre: metrics.recall[genre])
        return [
            share(metrics.accuracy, metrics.accuracy_interval),
            share(metrics.macro_recall, metrics.macro_recall_interval),
            ", ".join(
                f"{genre_name(g, language)} {metrics.recall[g]:.0%}"
                for g in (ranking[-1], ranking[0])
            ),
        ]

    rows = []
    for path in sorted(SHIPPED.glob("*.json")):
        card = ModelCard.read(path)
        metrics = card.metrics
        assert metrics is not None, f"{path}: shipped without metrics"
        size = path.with_suffix(".onnx").stat().st_size
        rows.append([
            f"`{card.name}`",
            *measured(metrics),
            f"{card.parameters / 1e6:.1f} M",
            f"{size / 1e6:.1f} MB {card.precision}",
        ])  # fmt: skip
    for name, panel in panels().items():
        rows.append([words[f"mean_{name}"], *measured(panel.metrics), "", ""])
    return f"{words['on'].format(n=metrics.recordings, split=metrics.split)}\n\n" + table(
        words["models"], rows
    )


def speed(language: str) -> str:
    words = WORDS[language]
    panel = json.loads((RESULTS / "panel.json").read_text())
    kept = json.loads((RESULTS / "spectrogram.json").read_text())["result"]
    run, cqt, mel = panel["result"], kept["cqt"], kept["mel"]
    many, served = _result("batch"), _result("service")
    page, pieces = _result("dashboard")["all_verdicts_ms"], _result("pieces")
    process, install = _result("process"), _result("install")

    def row(what: str, ours: float, reference: str, theirs: float) -> list[str]:
        return [
            words[what],
            f"{ours:.0f} ms" if ours >= 10 else f"{ours:.1f} ms",
            f"{words[reference]}: {theirs:.0f} ms",
            f"{ours / theirs:.2f}" if ours / theirs >= 0.01 else f"{ours / theirs:.4f}",
        ]

    rows = [
        row("file", run["file_to_json_ms"], "torch", run["torch_fp32_five_passes_ms"]),
        row("once", run["five_at_once_ms"], "turn", run["five_in_turn_ms"]),
        row("cqt", cqt["ccmusic_ms"], "librosa", cqt["librosa_ms"]),
        row("first", cqt["ccmusic_first_call_ms"], "librosa_first", cqt["librosa_first_call_ms"]),
        row("mel", mel["ccmusic_ms"], "librosa", mel["librosa_ms"]),
        row("decode", pieces["decode_ms"], "load", pieces["librosa_load_ms"]),
        row("whole", pieces["timeline_ms"], "windows", pieces["window_by_window_ms"]),
        [
            words["cold"],
            f"{process['cold_s']:.1f} s",
            f"{words['scripted']}: {process['reference_cold_s']:.1f} s",
            f"{process['cold_ratio']:.2f}",
        ],
        [
            words["memory"],
            f"{process['memory_mb']:.0f} MB",
            f"{words['fp32']}: {process['reference_memory_mb']:.0f} MB",
            f"{process['memory_ratio']:.2f}",
        ],
        [
            words["disk"].format(download=install["ccmusic"]["download_mb"]),
            f"{install['ccmusic']['disk_mb']:.0f} MB",
            f"{words['wheels']}: {install['reference']['disk_mb']:.0f} MB",
            f"{install['ccmusic']['disk_mb'] / install['reference']['disk_mb']:.2f}",
        ],
        [words["page"], words["page_ms"].format(**page), "", ""],
        [
            words["batch"].format(n=many["files"]),
            words["rate"].format(rate=many["batch_clips_per_s"]),
            f"{words['loop']}: {words['rate'].format(rate=many['loop_clips_per_s'])}",
            f"{many['ratio']:.1f}",
        ],
        [
            words["service"].format(n=served["clients"]),
            words["answers"].format(
                rate=served["answers_per_s"],
                median=served["median_ms"] / 1000,
                p95=served["p95_ms"] / 1000,
            ),
            "",
            "",
        ],
    ]
    return f"{words['cores'].format(cores=panel['machine']['cores'])}\n\n" + table(
        words["speed"], rows
    )


def importing() -> str:
    kept = json.loads((RESULTS / "importing.json").read_text())
    rows = [
        [
            f"`{name}`",
            f"{run['megabytes']:.0f} MB",
            f"{run['import_s']:.1f} s",
            f"{run['torch_load_s']:.2f} s",
        ]
        for name, run in kept["result"].items()
    ]
    return f"Measured on {kept['machine']['cores']} cores.\n\n" + table(
        "backbone | file | import | reading the file alone", rows
    )


def _result(name: str) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return {**kept["result"], "cores": kept["machine"]["cores"]}


def batch() -> str:
    run = _result("batch")
    rows = [
        [
            "plain loop: librosa decodes and transforms, PyTorch fp32 looks, file after file",
            f"{run['loop_clips_per_s']:.2f}",
            "1",
        ],
        [
            f"`ccmusic batch` of {run['files']} files, start and table included",
            f"{run['batch_clips_per_s']:.2f}",
            f"{run['ratio']:.2f}",
        ],
    ]
    stacks = [[n, f"{rate:.2f}"] for n, rate in run["stacked_clips_per_s"].items()]
    return "\n\n".join([
        f"Ten-second MP3s, the same five networks, {run['cores']} cores, one run:",
        table("what | clips per second | ratio", rows),
        f"Memory over {run['many_files']} files, all processes together: "
        f"{run['memory_mb_after_a_tenth']:.0f} MB after a tenth, "
        f"{run['memory_mb_at_the_end']:.0f} MB at the end.",
        "The models alone, pictures of several files stacked into one inference:",
        table("pictures in one inference | clips per second", stacks),
    ])  # fmt: skip


def cost() -> str:
    run = _result("batch")
    core = run["batch_clips_per_s"] / run["cores"]
    rows = [
        [
            f"{n:,}".replace(",", " "),
            f"{n / core / 3600:.1f}",
            f"{60 * n / core / 3600 / 64:.1f} min",
        ]
        for n in (10_000, 100_000, 1_000_000)
    ]
    return (
        f"One core of the machine measured above judges {core:.1f} recordings per second, one "
        "window each, five models. If the cores of the cluster are like it, and its disks keep "
        "up:\n\n"
    ) + table("recordings | core-hours | on 64 cores", rows)


def service() -> str:
    run = _result("service")
    rows = [
        ["one client alone, median", f"{run['alone_ms']:.0f} ms"],
        [
            f"{run['clients']} clients for {run['seconds']:.0f} s",
            f"{run['answers']} answers, {run['lost']} lost, {run['wrong']} wrong",
        ],
        ["answers per second", f"{run['answers_per_s']:.1f}"],
        [
            "median, 95th percentile",
            f"{run['median_ms']:.0f} ms, {run['p95_ms']:.0f} ms ({run['p95_over_median']:.2f} x)",
        ],
        [
            "memory after a tenth of the time, at the end",
            f"{run['memory_mb_after_a_tenth']:.0f} MB, {run['memory_mb_at_the_end']:.0f} MB",
        ],
        [
            f"{run['crowd']} clients at the same moment",
            f"{run['crowd_answered']} answered within {run['crowd_s']:.0f} s, "
            f"429 sent {run['crowd_sent_away']} times, {run['crowd_failed']} failed",
        ],
        ["one client alone afterwards, median", f"{run['alone_after_ms']:.0f} ms"],
    ]
    return (
        f"Ten-second MP3s, five models, {run['cores']} cores that the clients use as well, one run."
        "\n\n"
    ) + table("what | measured", rows)


def limit() -> str:
    run = _result("limit")
    rows = [
        [
            f"`{name}`",
            f"{model['multiply_adds'] / 1e9:.2f}",
            model["precision"],
            f"{model['ms']:.1f} ms",
            f"{model['giga_per_s']:.0f}",
            f"{model['share_of_peak']:.0%}",
        ]
        for name, model in run["models"].items()
    ]
    peak, all_cores = run["peak"], run["cores"]
    return "\n\n".join([
        f"One core makes {peak['fp32_1']:.0f} thousand million multiply-adds a second in fp32 and "
        f"{peak['int8_1']:.0f} in int8, measured with products of matrices in the same runtime; "
        f"{all_cores} cores {peak[f'fp32_{all_cores}']:.0f} and {peak[f'int8_{all_cores}']:.0f}.",
        table(
            "model | thousand million multiply-adds | stored as | one core | "
            "thousand million per second | of the peak",
            rows,
        ),
        f"At the peak of all cores the five would take {run['five_at_least_ms']:.0f} ms; they take "
        f"{run['five_at_once_ms']:.0f} ms, {run['share_of_peak']:.0%} of what is possible.",
    ])  # fmt: skip


def settings() -> str:
    run = _result("variants")["settings"]
    rows = [[name, f"{ratio:.2f}"] for name, ratio in run.items()]
    return table("setting | time of the five, one core, in turn", rows)


def integers() -> str:
    rows = [
        [f"`{model}`", way, f"{kept['same_choice']:.1%}", f"{kept['time']:.2f}"]
        for model, ways in _result("integers")["models"].items()
        for way, kept in ways.items()
    ]
    return table("model | what is in integers | same first choice | time over fp32's", rows)


def installation() -> str:
    names = {
        "ccmusic": "ccmusic with its models",
        "ccmusic_dashboard": "the same with the dashboard",
        "reference": "PyTorch (the build for processors), torchvision, librosa",
    }
    run = _result("install")
    rows = [
        [
            words,
            str(run[name]["packages"]),
            f"{run[name]['download_mb']:.0f} MB",
            f"{run[name]['disk_mb']:.0f} MB",
        ]
        for name, words in names.items()
    ]
    return table("what | packages | download | disk", rows)


def teacher() -> str:
    found = json.loads((ROOT / "references" / "results" / "teacher.json").read_text())
    sides = list(next(iter(found.values())))
    rows = [
        [
            name,
            *(f"{of[side]['accuracy']:.2f} / {of[side]['mean_recall']:.2f}" for side in sides),
        ]
        for name, of in found.items()
    ]
    heads = [
        f"{side} ({next(iter(found.values()))[side]['recordings']} clips)"
        if side == "valid"
        else f"without {side} ({next(iter(found.values()))[side]['recordings']} clips)"
        for side in sides
    ]
    return table(" | ".join(["classifier on", *heads]), rows)


def filled(text: str, contents: dict[str, str]) -> str:
    for name, content in contents.items():
        text = re.sub(
            rf"(<!-- figures:{name} -->\n).*?(<!-- end -->)",
            lambda match, content=content: f"{match[1]}{content}\n{match[2]}",
            text,
            flags=re.DOTALL,
        )
    return text


def main() -> None:
    pages = {}
    for language, name in (("en", "README.md"), ("zh", "README.zh.md")):
        path = ROOT / name
        contents = {"models": models(language), "speed": speed(language)}
        pages[path] = filled(path.read_text(encoding="utf-8"), contents)
    for name, contents in (
        ("weights.md", {"import": importing()}),
        ("training.md", {"teacher": teacher()}),
        ("batch.md", {"batch": batch(), "cost": cost()}),
        ("service.md", {"service": service()}),
        (
            "speed.md",
            {
                "speed": speed("en"),
                "limit": limit(),
                "settings": settings(),
                "integers": integers(),
                "installation": installation(),
            },
        ),
    ):
        for path in (ROOT / "docs" / name, (ROOT / "docs" / name).with_suffix(".zh.md")):
            if path.exists():
                pages[path] = filled(path.read_text(encoding="utf-8"), contents)
    update(pages, sys.argv)


if __name__ == "__main__":
    main()
