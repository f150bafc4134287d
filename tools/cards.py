"""Write ``docs/models*.md`` and ``docs/data*.md`` from the shipped cards.

    python tools/cards.py

With ``--check`` nothing is written, and the exit status is 1 if a page has drifted.
"""

import sys
from collections import Counter
from pathlib import Path

from ccmusic.card import DataSource, Metrics, ModelCard, PanelCard
from ccmusic.genres import genre_name
from ccmusic.texts import Language
from ccmusic.workshop.evaluate import wilson
from ccmusic.zoo import SHIPPED
from tables import panels, share, table, update

DOCS = Path(__file__).parent.parent / "docs"
WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "models": "# The shipped models",
        "models_from": (
            "This page is written by `python tools/cards.py` from the cards beside the networks."
        ),
        "side": "## Side by side",
        "side_on": (
            "Recordings of `valid`, none trained on, one verdict each. The GTZAN tracks alone "
            "cover ten genres, and say the most about telling them apart. 95 % intervals: "
            "Wilson's for these tracks, bootstrapped for the rest."
        ),
        "side_table": (
            "model | GTZAN tracks | all | mean recall | weakest genre | environment recognised | "
            "music taken for it | calibration error (by chance) | first choice as in fp32 | size "
            "| time, MobileNetV3 in fp32 = 1"
        ),
        "all": "mean of all",
        "cqt": "mean of cqt",
        "mel": "mean of mel",
        "together": "## Together",
        "together_on": "Means of several models, measured like the models below.",
        "panel": (
            "**{name}**: {figures} A temperature of its own would leave {scaled:.3f}; the mean is "
            "shown as it is. The two that do best together: `{first}` and `{second}`, "
            "{accuracy:.0%}; on {either:.0%} at least one of them is right."
        ),
        "build": "{parameters:.1f} M parameters, {macs:.2f} GMAC, stored as {precision}",
        "latency": ", {latency:.1f} times the time of MobileNetV3 in fp32",
        "same": ", first choice as in fp32 on {same:.1%} of the clips",
        "card": "{build}. {data} Licence: {licence}.",
        "figures": (
            "On {recordings} recordings of `{split}`, none trained on, one verdict each: accuracy "
            "{accuracy}, mean recall {recall}, expected calibration error {error:.3f}; on so few "
            "recordings perfect calibration would show {chance:.3f}."
        ),
        "temperature": "Temperature {temperature:.2f}.",
        "curve": "Accuracy on the clips after each pass of the training: {curve}.",
        "genres_table": "genre | recordings | recall | taken for",
        "meant": "What a probability has meant:",
        "bands_table": "confidence | probability | right | recordings",
        "high": "high",
        "middling": "middling",
        "low": "low",
        "from": "from {above:.2f}",
        "bins_table": "probability | mean | right | recordings",
        "by_source": "By source of the recording:",
        "sources_table": "source | recordings | accuracy",
        "data": "# The training material",
        "data_from": (
            "This page is written by `python tools/cards.py` from the cards. The material itself "
            "is not part of the project."
        ),
        "clips": "Labelled clips: {clips}; unlabelled: {unlabelled}.",
        "data_table": "source | licence | recordings | labelled clips | unlabelled clips",
        "comma": ", ",
    },
    "zh": {
        "models": "# 自带的模型",
        "models_from": (
            "本页由 `python tools/cards.py` 根据网络旁边的模型卡生成；模型卡自己的文字是英文。"
        ),
        "side": "## 对照",
        "side_on": (
            "`valid` 中的录音，都没有参与训练，每个录音一次判断。只有 GTZAN 的曲目涵盖十个流派，"
            "最能说明模型区分流派的能力。95 % 区间：这些曲目用 Wilson 区间，其余用自助法。"
        ),
        "side_table": (
            "模型 | GTZAN 曲目 | 全部 | 平均召回率 | 最弱的流派 | 认出环境音 | 音乐误判为环境音 | "
            "校准误差（偶然所致） | 首选与 fp32 相同 | 大小 | 时间（MobileNetV3 fp32 为 1）"
        ),
        "all": "全部十个的平均",
        "cqt": "五个的平均，CQT",
        "mel": "五个的平均，Mel",
        "together": "## 合起来",
        "together_on": "几个模型的平均，测量方法与下面的单个模型相同。",
        "panel": (
            "**{name}**：{figures}若另设温度，误差为 {scaled:.3f}；平均值按原样显示。"
            "合起来最好的两个：`{first}` 与 `{second}`，判对 {accuracy:.0%}；"
            "{either:.0%} 的录音至少有一个判对。"
        ),
        "build": "{parameters:.1f} M 参数，{macs:.2f} GMAC，以 {precision} 存储",
        "latency": "，时间为 MobileNetV3 fp32 的 {latency:.1f} 倍",
        "same": "，{same:.1%} 的片段首选与 fp32 相同",
        "card": "{build}。训练过程（模型卡原文）：{data} 许可证：{licence}。",
        "figures": (
            "在 `{split}` 的 {recordings} 个录音上（都没有参与训练，每个一次判断）：准确率 "
            "{accuracy}，平均召回率 {recall}，期望校准误差 {error:.3f}；"
            "录音这么少时，完美校准也会显示 {chance:.3f}。"
        ),
        "temperature": "温度 {temperature:.2f}。",
        "curve": "每轮训练后在片段上的准确率：{curve}。",
        "genres_table": "流派 | 录音数 | 召回率 | 误判为",
        "meant": "概率与实际判对的比例：",
        "bands_table": "把握 | 概率 | 判对 | 录音数",
        "high": "较大",
        "middling": "中等",
        "low": "较小",
        "from": "{above:.2f} 起",
        "bins_table": "概率 | 平均 | 判对 | 录音数",
        "by_source": "按录音的来源：",
        "sources_table": "来源 | 录音数 | 准确率",
        "data": "# 训练材料",
        "data_from": (
            "本页由 `python tools/cards.py` 根据模型卡生成；来源和许可证用模型卡的原文。"
            "材料本身不在项目中。"
        ),
        "clips": "有标注的片段：{clips}；没有标注的：{unlabelled}。",
        "data_table": "来源 | 许可证 | 录音数 | 有标注的片段 | 没有标注的片段",
        "comma": "，",
    },
}


def models(cards: list[ModelCard], language: Language) -> str:
    words = WORDS[language]
    means = panels()
    parts = [
        words["models"],
        words["models_from"],
        words["side"],
        words["side_on"],
        side_by_side(cards, means, language),
    ]
    if means:
        parts += [words["together"], words["together_on"]]
    for name, panel in means.items():
        pair = panel.pairs[0]
        parts.append(
            words["panel"].format(
                name=words[name],
                figures=figures(panel.metrics, language),
                scaled=panel.scaled_calibration_error,
                first=pair.models[0],
                second=pair.models[1],
                accuracy=pair.accuracy,
                either=pair.either,
            )
        )
    for card in cards:
        metrics = card.metrics
        assert metrics is not None
        build = words["build"].format(
            parameters=card.parameters / 1e6,
            macs=card.multiply_adds / 1e9,
            precision=card.precision,
        )
        if card.relative_latency:
            build += words["latency"].format(latency=card.relative_latency)
        if card.same_choice is not None:
            build += words["same"].format(same=card.same_choice)
        temperature = words["temperature"].format(temperature=card.temperature)
        parts += [
            f"## {card.name}",
            words["card"].format(build=build, data=card.data, licence=card.licence),
            "\n".join(f"- {note}" for note in card.notes),
            f"{figures(metrics, language)} {temperature}",
            *details(metrics, language),
        ]
        if card.learning_curve:
            curve = ", ".join(f"{accuracy:.0%}" for accuracy in card.learning_curve)
            parts.append(words["curve"].format(curve=curve))
    return "\n\n".join(parts) + "\n"


def side_by_side(cards: list[ModelCard], means: dict[str, PanelCard], language: Language) -> str:
    words = WORDS[language]
    rows = [
        [
            f"`{card.name}`",
            *scores(card.metrics, language),
            f"{card.same_choice:.1%}" if card.same_choice is not None else "",
            f"{(SHIPPED / card.name).with_suffix('.onnx').stat().st_size / 1e6:.1f} MB",
            f"{card.relative_latency:.1f}" if card.relative_latency else "",
        ]
        for card in cards
        if card.metrics
    ]
    rows += [
        [words[name], *scores(panel.metrics, language), "", "", ""] for name, panel in means.items()
    ]
    return table(words["side_table"], rows)


def scores(metrics: Metrics, language: Language) -> list[str]:
    tracks = {s: n for s, n in metrics.support_by_source.items() if s.startswith("gtzan")}
    right = round(sum(n * metrics.accuracy_by_source[s] for s, n in tracks.items()))
    weakest = min(metrics.recall, key=lambda genre: metrics.recall[genre])
    music = metrics.recordings - metrics.support["environment"]
    mistaken = sum(
        choices.get("environment", 0)
        for genre, choices in metrics.confusion.items()
        if genre != "environment"
    )
    return [
        share(right / sum(tracks.values()), wilson(right, sum(tracks.values()))),
        share(metrics.accuracy, metrics.accuracy_interval),
        share(metrics.macro_recall, metrics.macro_recall_interval),
        f"{genre_name(weakest, language)} {metrics.recall[weakest]:.0%}",
        f"{metrics.recall['environment']:.0%}",
        f"{mistaken / music:.1%}",
        f"{metrics.calibration_error:.3f} ({metrics.calibration_error_by_chance:.3f})",
    ]


def figures(metrics: Metrics, language: Language) -> str:
    return WORDS[language]["figures"].format(
        recordings=metrics.recordings,
        split=metrics.split,
        accuracy=share(metrics.accuracy, metrics.accuracy_interval),
        recall=share(metrics.macro_recall, metrics.macro_recall_interval),
        error=metrics.calibration_error,
        chance=metrics.calibration_error_by_chance,
    )


def details(metrics: Metrics, language: Language) -> list[str]:
    words = WORDS[language]
    confusion = [
        [
            genre_name(genre, language),
            str(metrics.support[genre]),
            f"{recall:.0%}",
            metrics.taken_for(genre, language),
        ]
        for genre, recall in metrics.recall.items()
    ]
    bands = [
        [
            words[band.level],
            words["from"].format(above=band.above),
            share(band.accuracy, band.accuracy_interval),
            str(band.recordings),
        ]
        for band in reversed(metrics.bands)
    ]
    calibration = [
        [
            words["from"].format(above=b.above),
            f"{b.confidence:.0%}",
            f"{b.accuracy:.0%}",
            f"{b.recordings}",
        ]
        for b in metrics.calibration
    ]
    sources = [
        [source, f"{metrics.support_by_source[source]}", f"{accuracy:.0%}"]
        for source, accuracy in metrics.accuracy_by_source.items()
    ]
    return [
        table(words["genres_table"], confusion),
        words["meant"],
        table(words["bands_table"], bands) if bands else "",
        table(words["bins_table"], calibration),
        words["by_source"],
        table(words["sources_table"], sources),
    ]


def data(cards: list[ModelCard], language: Language) -> str:
    words = WORDS[language]
    parts = [words["data"], words["data_from"]]
    alike: list[tuple[DataSource, ...]] = []
    for card in cards:
        if card.sources not in alike:
            alike.append(card.sources)
    for sources in alike:
        names = ", ".join(f"`{card.name}`" for card in cards if card.sources == sources)
        genres: Counter[str] = Counter()
        for source in sources:
            genres.update(source.clips)
        rows = [
            [
                source.source,
                source.licence,
                str(source.recordings),
                counted(source.clips, language),
                str(source.unlabelled or ""),
            ]
            for source in sources
        ]
        parts += [
            f"## {names}",
            words["clips"].format(
                clips=counted(dict(genres.most_common()), language),
                unlabelled=sum(source.unlabelled for source in sources),
            ),
            table(words["data_table"], rows),
        ]
    return "\n\n".join(parts) + "\n"


def counted(clips: dict[str, int], language: Language) -> str:
    comma = WORDS[language]["comma"]
    return comma.join(f"{genre_name(genre, language)} {n}" for genre, n in clips.items())


def main() -> None:
    cards = [ModelCard.read(path) for path in sorted(SHIPPED.glob("*.json"))]
    update(
        {
            DOCS / "models.md": models(cards, "en"),
            DOCS / "models.zh.md": models(cards, "zh"),
            DOCS / "data.md": data(cards, "en"),
            DOCS / "data.zh.md": data(cards, "zh"),
        },
        sys.argv,
    )


if __name__ == "__main__":
    main()
