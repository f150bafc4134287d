"""Write ``docs/models*.md`` and ``docs/data*.md`` from the shipped cards.

    python tools/cards.py

With ``--check`` nothing is written, and the exit status is 1 if a page has drifted.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from ccmusic.card import DataSource, Metrics, ModelCard, PanelCard
from ccmusic.genres import genre_name
from ccmusic.texts import Language
from ccmusic.workshop.evaluate import wilson
from ccmusic.zoo import SHIPPED
from tables import panels, share, table, update

DOCS = Path(__file__).parent.parent / "docs"
REFERENCES = Path(__file__).parent.parent / "references"
WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "models": "# The shipped models",
        "models_from": (
            "This page is written by `python tools/cards.py` from the cards beside the networks."
        ),
        "side": "## Side by side",
        "side_on": (
            "Recordings of `valid`, none trained on, one verdict each; the sources of most are "
            "those of the training. *Other artists' songs* are {unknown} of them, commercial songs "
            "of which no training clip has the artist ([why](training.md)): that is the figure to "
            "expect on other people's music. 95 % intervals: Wilson's for GTZAN tracks, "
            "bootstrapped for the rest."
        ),
        "side_table": (
            "model | other artists' songs | their mean recall | GTZAN tracks | all | mean recall | "
            "weakest genre | environment recognised | music taken for it | "
            "calibration error (by chance) | first choice as in fp32 | size "
            "| time, MobileNetV3 in fp32 = 1"
        ),
        "all": "mean of all",
        "cqt": "mean of cqt",
        "mel": "mean of mel",
        "maps": "## Do the maps name what counts",
        "maps_on": (
            "Each network was asked again, about songs of `valid` and the examples: with silence "
            "in place of the region that its map names, and with that region alone. The shares say "
            "on how many recordings that cost more, or kept more, probability than the median of "
            "random regions of equal size: chance is 50%. In brackets Wilson's 95 % interval; a "
            "network whose interval reaches 50 % is said to be *not surely better than chance* "
            "wherever its maps are shown. Left out are recordings on which the map names no "
            "region, or most of the picture. *Measured* are the maps of occlusion, which page and "
            "reports draw: each of the 49 places is covered with the median of its surroundings, "
            "and the network asked again. *Activation* maps add up the features of the last layer "
            "and cost nothing. One rule holds for all networks: the measured map is shown, for in "
            "the mean of the ten it names what counts more often. ResNet50's activation maps did "
            "better than its measured ones, but the intervals overlap. For comparison, what two "
            "other kinds of activation maps reach with silence: "
            "against the mean of all genres instead of the likely ones, and the same minus the "
            "average map over other recordings. "
            "`python references/faithfulness.py MATERIAL` measures it."
        ),
        "maps_table": (
            "network | measured: recordings | silence in the named region | the named region alone "
            "| activation: recordings | silence in the named region | the named region alone | "
            "against all genres | minus the average"
        ),
        "maps_all": "all ten",
        "genres": "## Genre by genre",
        "genres_on": (
            "What taught each genre, and what the mean of all takes it for: on recordings of "
            "`valid`, and on the songs of other artists among them. Sources of fewer than five "
            "clips of a genre are left out of this table; [data.md](data.md) has all."
        ),
        "taught_table": (
            "genre | learnt from (clips) | recall on `valid` | taken for | recall on other "
            "artists' songs | taken for"
        ),
        "none": "none",
        "together": "## Together",
        "together_on": "Means of several models, measured like the models below.",
        "panel": (
            "**{name}**: {figures} A temperature of its own would leave {scaled:.3f}; the mean is "
            "shown as it is. The two that do best together on songs by other artists: `{first}` "
            "and `{second}`, {accuracy:.0%}; on {either:.0%} at least one of them is right."
        ),
        "build": "{parameters:.1f} M parameters, {macs:.2f} GMAC, stored as {precision}",
        "width": ", 1/{divisor} of the published network's channels in every layer",
        "unknown": (
            "On {recordings} songs by other artists: accuracy {accuracy}, mean recall {recall}, "
            "expected calibration error {error:.3f}."
        ),
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
        "meant": "What a probability has meant on songs by other artists:",
        "bands_table": "confidence | probability | right | recordings",
        "high": "high",
        "middling": "middling",
        "low": "low",
        "from": "from {above:.2f}",
        "bins_table": "probability | mean | right | recordings",
        "by_source": "By source of the recording; in italics, songs by other artists, genre sure:",
        "sources_table": "source | recordings | accuracy",
        "data": "# The training material",
        "data_from": (
            "This page is written by `python tools/cards.py` from the cards. The material itself "
            "is not part of the project."
        ),
        "clips": "Labelled clips: {clips}; unlabelled: {unlabelled}.",
        "data_table": "source | licence | recordings | labelled clips | unlabelled clips",
        "comma": ", ",
        "space": " ",
    },
    "zh": {
        "models": "# 自带的模型",
        "models_from": (
            "本页由 `python tools/cards.py` 根据权重旁边的模型卡生成；模型卡自己的文字是英文。"
        ),
        "side": "## 对照",
        "side_on": (
            "`valid` 中的录音，都没有参与训练，每个录音一次判断；其中大多数的来源与训练材料相同。"
            "「陌生艺人的歌曲」是其中 {unknown} 首商业歌曲，训练片段中没有这些艺人"
            "（[原因](training.zh.md)）：对别人的音乐，应以这个数字为准。"
            "95 % 区间：GTZAN 曲目用 Wilson 区间，其余用自助法。"
        ),
        "side_table": (
            "模型 | 陌生艺人的歌曲 | 其平均召回率 | GTZAN 曲目 | 全部 | 平均召回率 | "
            "最弱的流派 | 认出环境音 | 音乐误判为环境音 | "
            "校准误差（偶然所致） | 首选与 fp32 相同 | 大小 | 时间（MobileNetV3 fp32 为 1）"
        ),
        "all": "全部十个的平均",
        "cqt": "五个的平均，CQT",
        "mel": "五个的平均，Mel",
        "maps": "## 热力图指出的位置要紧吗",
        "maps_on": (
            "对 `valid` 中的歌曲和示例，让每个模型再判断两次："
            "把热力图指出的区域变成静音，以及只保留该区域。"
            "比例表示：在多少录音上，它造成的概率损失（或保留的概率）超过同样大小的随机区域的中位数；"
            "随机水平为 50%。括号内是 Wilson 95 % 区间；区间触及 50 % 的模型，"
            "凡显示其热力图之处都注明「不一定胜过随机」。"
            "热力图没有指出区域、或区域占图的大部分时，该录音不计。"
            "“实测”即遮挡法，页面和报告画的就是它："
            "把 49 处逐一用周围像素的中位数盖住，再让模型重新判断。"
            "“激活”由最后一层的特征相加而得，不费时间。"
            "所有模型用同一条规则：显示实测热力图，因为就十个模型平均而言，它更常指出要紧之处。"
            "ResNet50 的激活热力图成绩好于实测，但两者的区间有重叠。"
            "作为对照，另列两种激活热力图在静音测试中的结果："
            "不与可能的流派、而与所有流派的平均相比；再减去其他录音的平均热力图。"
            "由 `python references/faithfulness.py MATERIAL` 测量。"
        ),
        "maps_table": (
            "模型 | 实测：录音数 | 指出的区域静音 | 只留指出的区域 | "
            "激活：录音数 | 指出的区域静音 | 只留指出的区域 | 与所有流派相比 | 再减去平均"
        ),
        "maps_all": "全部十个",
        "genres": "## 各流派",
        "genres_on": (
            "每个流派学自哪里，以及全部模型的平均把它误判为什么：先是 `valid` 的录音，"
            "再是其中陌生艺人的歌曲。某流派不足五个片段的来源不列入本表，"
            "完整列表见 [data.zh.md](data.zh.md)。"
        ),
        "taught_table": (
            "流派 | 学自（片段数） | `valid` 召回率 | 误判为 | 陌生艺人歌曲召回率 | 误判为"
        ),
        "none": "无",
        "together": "## 合起来",
        "together_on": "几个模型的平均，测量方法与下面的单个模型相同。",
        "panel": (
            "**{name}**：{figures}若另设温度，误差为 {scaled:.3f}；平均值按原样显示。"
            "在陌生艺人的歌曲上合起来最好的两个：`{first}` 与 `{second}`，"
            "判对 {accuracy:.0%}；{either:.0%} 的歌曲至少有一个判对。"
        ),
        "build": "{parameters:.1f} M 参数，{macs:.2f} GMAC，以 {precision} 存储",
        "width": "，每层通道数为公开模型的 1/{divisor}",
        "unknown": (
            "在陌生艺人的 {recordings} 首歌曲上：准确率 {accuracy}，"
            "平均召回率 {recall}，期望校准误差 {error:.3f}。"
        ),
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
        "meant": "在陌生艺人的歌曲上，概率与实际判对的比例：",
        "bands_table": "把握 | 概率 | 判对 | 录音数",
        "high": "较大",
        "middling": "中等",
        "low": "较小",
        "from": "{above:.2f} 起",
        "bins_table": "概率 | 平均 | 判对 | 录音数",
        "by_source": "按录音的来源；斜体为流派确定的陌生艺人歌曲：",
        "sources_table": "来源 | 录音数 | 准确率",
        "data": "# 训练材料",
        "data_from": (
            "本页由 `python tools/cards.py` 根据模型卡生成；来源和许可证用模型卡的原文。"
            "材料本身不在项目中。"
        ),
        "clips": "有标注的片段：{clips}；没有标注的：{unlabelled}。",
        "data_table": "来源 | 许可证 | 录音数 | 有标注的片段 | 没有标注的片段",
        "comma": "，",
        "space": "",
    },
}


def models(cards: list[ModelCard], language: Language) -> str:
    words = WORDS[language]
    means = panels()
    parts = [
        words["models"],
        words["models_from"],
        words["side"],
        words["side_on"].format(unknown=_unknown(means["all"]).recordings),
        side_by_side(cards, means, language),
        words["maps"],
        words["maps_on"],
        faithful(language),
        words["genres"],
        words["genres_on"],
        genre_by_genre(cards[0].sources, means["all"], language),
        words["together"],
        words["together_on"],
    ]
    for name, panel in means.items():
        pair = panel.pairs[0]
        parts.append(
            words["panel"].format(
                name=words[name],
                figures=figures(panel, language),
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
        if card.width_divisor > 1:
            build += words["width"].format(divisor=card.width_divisor)
        if card.relative_latency:
            build += words["latency"].format(latency=card.relative_latency)
        if card.same_choice is not None:
            build += words["same"].format(same=card.same_choice)
        temperature = words["temperature"].format(temperature=card.temperature)
        parts += [
            f"## {card.name}",
            words["card"].format(build=build, data=card.data, licence=card.licence),
            "\n".join(f"- {note}" for note in card.notes),
            f"{figures(card, language)} {temperature}",
            *details(card, metrics, language),
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
            *scores(card, language),
            f"{card.same_choice:.1%}" if card.same_choice is not None else "",
            f"{(SHIPPED / card.name).with_suffix('.onnx').stat().st_size / 1e6:.1f} MB",
            f"{card.relative_latency:.1f}" if card.relative_latency else "",
        ]
        for card in cards
    ]
    rows += [[words[name], *scores(panel, language), "", "", ""] for name, panel in means.items()]
    return table(words["side_table"], rows)


def faithful(language: Language) -> str:
    """What the regions that maps name are worth, network by network and together."""
    measured = json.loads((REFERENCES / "results/faithfulness.json").read_text())
    kinds = {name: measured[name]["kinds"] for name in sorted(measured)}

    def right(kind: str, figure: str, names: Iterable[str]) -> tuple[int, int]:
        each = [kinds[name][kind] for name in names]
        n = sum(of["recordings"] for of in each)
        return round(sum(of["recordings"] * of.get(figure, 0) for of in each)), n

    def row(title: str, names: Iterable[str]) -> list[str]:
        names = list(names)
        cells = []
        for kind in ("occlusion", "activation"):
            (removed, n), (alone, _) = (right(kind, f, names) for f in ("removed", "alone"))
            cells += [f"{n}", *(share(k / n, wilson(k, n)) for k in (removed, alone))]
        others = (right(kind, "removed", names) for kind in ("genres", "genres_minus_average"))
        return [title, *cells, *(f"{better / n:.0%}" for better, n in others)]

    rows = [row(f"`{name}`", [name]) for name in kinds]
    rows.append(row(WORDS[language]["maps_all"], kinds))
    return table(WORDS[language]["maps_table"], rows)


def genre_by_genre(sources: tuple[DataSource, ...], panel: PanelCard, language: Language) -> str:
    words, unknown = WORDS[language], _unknown(panel)
    rows = []
    for genre, recall in panel.metrics.recall.items():
        clips = {source.source: source.clips.get(genre, 0) for source in sources}
        taught = sorted((each for each in clips.items() if each[1] >= 5), key=lambda each: -each[1])
        rows.append([
            genre_name(genre, language),
            words["comma"].join(f"{source} {n}" for source, n in taught),
            f"{recall:.0%}",
            panel.metrics.taken_for(genre, language),
            *(
                [f"{unknown.recall[genre]:.0%}", unknown.taken_for(genre, language)]
                if genre in unknown.recall
                else [words["none"], ""]
            ),
        ])  # fmt: skip
    return table(words["taught_table"], rows)


def _unknown(card: ModelCard | PanelCard) -> Metrics:
    assert card.unknown_sources is not None, f"{card}: shipped without unknown sources"
    return card.unknown_sources


def scores(card: ModelCard | PanelCard, language: Language) -> list[str]:
    metrics, unknown = card.metrics, _unknown(card)
    assert metrics is not None
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
        share(unknown.accuracy, unknown.accuracy_interval),
        share(unknown.macro_recall, unknown.macro_recall_interval),
        share(right / sum(tracks.values()), wilson(right, sum(tracks.values()))),
        share(metrics.accuracy, metrics.accuracy_interval),
        share(metrics.macro_recall, metrics.macro_recall_interval),
        f"{genre_name(weakest, language)} {metrics.recall[weakest]:.0%}",
        f"{metrics.recall['environment']:.0%}",
        f"{mistaken / music:.1%}",
        f"{metrics.calibration_error:.3f} ({metrics.calibration_error_by_chance:.3f})",
    ]


def figures(card: ModelCard | PanelCard, language: Language) -> str:
    words, sentences = WORDS[language], []
    for key, metrics in (("figures", card.metrics), ("unknown", _unknown(card))):
        assert metrics is not None
        sentences.append(
            words[key].format(
                recordings=metrics.recordings,
                split=metrics.split,
                accuracy=share(metrics.accuracy, metrics.accuracy_interval),
                recall=share(metrics.macro_recall, metrics.macro_recall_interval),
                error=metrics.calibration_error,
                chance=metrics.calibration_error_by_chance,
            )
        )
    return words["space"].join(sentences)


def details(card: ModelCard, metrics: Metrics, language: Language) -> list[str]:
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
        for band in reversed(_unknown(card).bands)
    ]
    calibration = [
        [
            words["from"].format(above=b.above),
            f"{b.confidence:.0%}",
            f"{b.accuracy:.0%}",
            f"{b.recordings}",
        ]
        for b in _unknown(card).calibration
    ]
    sources = [
        [f"{mark}{source}{mark}", f"{each.support_by_source[source]}", f"{accuracy:.0%}"]
        for mark, each in (("", metrics), ("*", _unknown(card)))
        for source, accuracy in each.accuracy_by_source.items()
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
