"""Write the figures into both READMEs and docs: ``python tools/figures.py [--check]``.

Accuracy comes from the cards of the shipped checkpoints, speed from ``benchmarks/results``. With
``--check`` nothing is written, and the exit status is 1 if a table has drifted.
"""

import json
import re
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from ccmusic.genres import genre_name
from tables import panels, share, table, update

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"

WORDS = {
    "en": {
        "reach": (
            "- **Right on {known} of {n} test recordings, most of them from sources that it "
            "knows, and on\n  {unknown} of the {songs} songs among them by artists it never "
            "heard:** the mean of the five,\n  with 95 % intervals. Expect the second figure on "
            "your own music."
        ),
        "speed": "what | measured | reference in the same run | ratio",
        "file": "five verdicts, from file to JSON, models loaded",
        "torch": "the published networks in PyTorch fp32, five forward passes alone, in turn",
        "torch_same": "the same networks in PyTorch fp32, five forward passes alone, in turn",
        "five_whole": "five models over four minutes, a window every 5 s",
        "page_first": "an example, its first verdict",
        "batch_long": "`ccmusic batch`, {n} MP3s of five minutes to a table",
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
        "page_all": "an example, all verdicts",
        "page_picture": "an example, its picture",
        "page_turned": "the switch to time downwards, the turned picture",
        "page_maps": "the switch between measured and activation maps, the other map",
        "page_genre": "a genre for the maps, its map",
        "page_language": "a language, the answer in it",
        "page_on": "Measured on {cores} cores ({processor}), {date}.",
        "page_table": "what is touched, until what is there | median | worst",
        "decode": "decoding the centre of a five-minute MP3",
        "load": "`librosa.load` of the same 10 s",
        "whole": "MobileNetV3 over four minutes, a window every 5 s",
        "windows": "window after window of the file",
        "cores": (
            "Measured on {cores} cores ({processor}), {date}; look at the ratios, not at the "
            "milliseconds."
        ),
        "batch": "`ccmusic batch`, {n} MP3s of 10 s to a table",
        "loop": "plain loop, librosa and PyTorch fp32",
        "rate": "{rate:.1f} clips/s",
        "service": "`ccmusic serve`, {n} clients at once",
        "answers": "{rate:.1f} answers/s; median {median:.1f} s, 95 % within {p95:.1f} s",
        "import_table": "backbone | file | import | reading the file alone",
        "measured_on": "Measured on {cores} cores.",
        "batch_plain": (
            "plain loop: librosa decodes and transforms, PyTorch fp32 looks, file after file"
        ),
        "batch_ours": "`ccmusic batch` of {files} files, start and table included",
        "batch_run": "Ten-second MP3s, the same five networks, {cores} cores, one run:",
        "batch_table": "what | clips per second | ratio",
        "batch_stacks": (
            "The models alone, pictures of several files stacked into one inference:"
        ),
        "batch_stacks_table": "pictures in one inference | clips per second",
        "scale": (
            "{recordings:,} names of a few real files, of a second each; decoding and models, "
            "whose time is the same for every file, are replaced by one analysis that was made "
            "before. Seconds of one processor, for all else: listing the folder ({list_s:.1f} s), "
            "database, table (`.parquet`)."
        ),
        "scale_steps": "recordings done | seconds for the last 10 000 | memory",
        "scale_runs": "the same command | files judged | seconds | memory at most",
        "scale_first": "the first time",
        "scale_again": "again",
        "scale_added": "with {judged} more files in the folder",
        "scale_database": (
            "The database has {database_mb:.0f} MB, its log had at most {log_mb_at_most:.0f} MB."
        ),
        "cluster": (
            "{files} ten-second MP3s, five models, {cores} cores, which Ray is told are {told}; "
            "its tables equal that of the local engine. Ray's own start, {start_s:.0f} s, is not "
            "counted:"
        ),
        "cluster_table": "engine | workers | clips per second",
        "cost": (
            "One core of the machine measured above judges {core:.1f} recordings per second, one "
            "window each, five models. If the cores of the cluster are like it, and its disks "
            "keep up:"
        ),
        "cost_table": "recordings | core-hours | on 64 cores",
        "minutes": "{minutes:.1f} min",
        "service_alone": "one client alone, median",
        "service_clients": "{clients} clients for {seconds:.0f} s",
        "service_answers": "{answers} answers, {lost} lost, {wrong} wrong",
        "service_rate": "answers per second",
        "service_panel": "{clients} threads and a panel in one process, without a service",
        "service_panel_rate": (
            "{panel_per_s:.1f} per second; the service reaches {over_panel:.2f} of it"
        ),
        "service_cores": "answers per second, over those of one client alone times cores",
        "service_median": "median, 95th percentile",
        "service_memory": "memory after a tenth of the time, at the end",
        "service_crowd": "{crowd} clients at the same moment",
        "service_crowd_answers": (
            "{crowd_answered} answered within {crowd_s:.0f} s, 429 sent {crowd_sent_away} times, "
            "{crowd_failed} failed"
        ),
        "service_after": "one client alone afterwards, median",
        "service_run": (
            "Ten-second MP3s, five models, {cores} cores that the clients use as well, one run."
        ),
        "service_table": "what | measured",
        "limit_peak": (
            "One core reaches {fp32_1:.0f} GMAC/s (billion multiply-adds per second) in fp32, "
            "measured with matrix products in the same runtime; {cores} cores {fp32_all:.0f}."
        ),
        "limit_table": "model | GMAC | stored as | one core | GMAC/s | of the peak",
        "limit_five": (
            "At the peak of all cores the five would take {five_at_least_ms:.0f} ms; they take "
            "{five_at_once_ms:.0f} ms, {share_of_peak:.0%} of what is possible."
        ),
        "settings_table": "setting | time of the five, one core, in turn",
        "file_table": "milliseconds of processor time | {kinds}",
        "reading_table": "format | ten seconds | reference in the same run | ratio",
        "soundfile": "soundfile, mean, soxr",
        "av_by_hand": "PyAV, mean, soxr",
        "librosa_load": "`librosa.load`",
        "stacks_table": "milliseconds a picture, one core | {sizes}",
        "importance": "importance of 49 places, five models",
        "without": "judgement without a region, from the clip to JSON",
        "teacher_table": "teacher | {artists} | {songs} | {known} | {sources}",
        "artists": "songs of `train` without their artist ({n})",
        "songs": "songs of `valid` ({n})",
        "known": "rest of `valid` ({n})",
        "sources": "collections left out ({n})",
        "songs_table": (
            "network | accuracy before | now | mean recall before | now | calibration error"
        ),
        "genres_of_songs": "genre | songs | teacher | {networks}",
        "two_windows": (
            "By one window the mean of the ten is right on {one:.0%} of {songs} songs of which two "
            "windows are at hand, by both on {two:.0%}. So few songs do not tell whether a whole "
            "piece is judged better than ten seconds of it, and give no bands for whole pieces: "
            "those of single windows are used."
        ),
        "teacher": "the linear teacher",
        "mean of all": "mean of all ten",
        "mean of cqt": "mean of the five, CQT",
        "mean of mel": "mean of the five, Mel",
        "short": (
            "length of the piece | recordings | right | mean probability of the first genre | "
            "calibration error"
        ),
        "speech_table": (
            "told by | recorded voices found: plain / noise / telephone / music | espeak-ng's, "
            "likewise | songs taken for speech | rain, barks, cries ... | 10 s take"
        ),
        "speech_pieces": (
            "{recorded} pieces of recorded voices, {espeak} of espeak-ng's, {songs} songs, "
            "{other} other sounds. With a threshold that finds nine of ten recorded voices, "
            "the share of voiced frames takes {alarms:.0%} of the songs for speech, of hip-hop "
            "{hiphop:.0%}; the nine measures take {ours:.0%} and {ours_hiphop:.0%}. Silero VAD's "
            "file has {mb:.1f} MB."
        ),
        "measures": "our nine measures",
        "silero_share": "Silero VAD: share of frames with a voice",
        "silero_numbers": "Silero VAD: six numbers about its probabilities",
        "both": "our measures and Silero VAD's mean",
        "install_ours": "ccmusic with its models",
        "install_dashboard": "the same with the dashboard",
        "install_reference": "PyTorch (the build for processors), torchvision, librosa",
        "install_table": "what | packages | download | disk",
        "parts_table": "package | disk | why it is there",
        "parts_rest": "the other {n}",
        "ccmusic": "the checkpoints, the example recordings, the program",
        "av": "FFmpeg, for every format of sound; a third of it is video encoders",
        "onnxruntime": "runs the networks",
        "numpy": "spectrograms; half of it is OpenBLAS",
        "pillow": "resizes pictures as in training; draws PNGs",
        "pydantic-core": "checks cards, options and JSON",
        "pygments": "required by Rich, which prints the tables and is required by Typer",
    },
    "zh": {
        "reach": (
            "- **{n} 个测试录音（多数来源是模型熟悉的）判对 {known}；"
            "其中从未学过其艺人的 {songs} 首歌曲\n  判对 {unknown}**："
            "五个模型取平均，括号内为 95 % 区间。"
            "分析自己的音乐时，请以后一个数字为准。"
        ),
        "speed": "项目 | 实测 | 同次运行的参照 | 比值",
        "file": "五个判断，从文件到 JSON，模型已加载",
        "torch": "公开模型，PyTorch fp32，仅五次前向计算，依次进行",
        "torch_same": "同样的模型，PyTorch fp32，仅五次前向计算，依次进行",
        "five_whole": "五个模型判断四分钟的录音，每 5 秒一个窗口",
        "page_first": "选定示例，到显示第一个判断",
        "batch_long": "`ccmusic batch`：{n} 个五分钟 MP3 到一张表",
        "once": "五个模型同时运行",
        "turn": "同样五个依次运行，各用全部核心",
        "cqt": "10 秒的 CQT",
        "mel": "10 秒的 Mel 频谱图",
        "librosa": "librosa（预热后）",
        "first": "CQT，新安装后的首次调用",
        "librosa_first": "librosa",
        "cold": "冷启动 `ccmusic classify` 一个片段",
        "scripted": "用 librosa 与 PyTorch 的脚本",
        "memory": "加载五个模型并判断三个片段后的内存",
        "fp32": "PyTorch fp32 与 librosa",
        "disk": "全新安装占用的磁盘（下载 {download:.0f} MB）",
        "wheels": "PyTorch（仅 CPU）、torchvision、librosa",
        "page_all": "选定示例，到显示全部判断",
        "page_picture": "选定示例，到显示频谱图",
        "page_turned": "转换频谱图的方向，到频谱图转过来",
        "page_maps": "在实测图与激活图之间切换，到热力图换过来",
        "page_genre": "为热力图选一种流派，到显示它的热力图",
        "page_language": "切换语言，到答案换成该语言",
        "page_on": "在 {cores} 个核心（{processor}）上测得，{date}。",
        "page_table": "操作，到何时为止 | 中位数 | 最长",
        "decode": "解码一首五分钟 MP3 的正中 10 秒",
        "load": "`librosa.load` 同样的 10 秒",
        "whole": "MobileNetV3 听四分钟，每 5 秒一个窗口",
        "windows": "逐个窗口读取文件",
        "cores": "{date} 在 {cores} 个核心（{processor}）上测得；请看比值，不要看毫秒数。",
        "batch": "`ccmusic batch`：{n} 个 10 秒 MP3 到一张表",
        "loop": "librosa 与 PyTorch fp32 的普通循环",
        "rate": "每秒 {rate:.1f} 个片段",
        "service": "`ccmusic serve`：{n} 个客户端同时请求",
        "answers": "每秒 {rate:.1f} 个回答；中位数 {median:.1f} 秒，95 % 在 {p95:.1f} 秒内",
        "import_table": "骨干网络 | 文件 | 导入 | 仅读取文件",
        "measured_on": "在 {cores} 个核心上测得。",
        "batch_plain": "普通循环：librosa 解码并变换，PyTorch fp32 判断，逐个文件处理",
        "batch_ours": "`ccmusic batch`，{files} 个文件，含启动和写表",
        "batch_run": "10 秒的 MP3，同样的五个模型，{cores} 个核心，同一次运行：",
        "batch_table": "项目 | 每秒片段数 | 比值",
        "batch_stacks": "只看模型，把几个文件的图叠成一批推理：",
        "batch_stacks_table": "一批的图数 | 每秒片段数",
        "scale": (
            "{recordings:,} 个文件名（指向几个真实文件，各 1 秒）；解码和模型对每个文件耗时相同，"
            "这里用事先算好的一份分析结果代替。其余部分的耗时（单个处理器的秒数）："
            "列出文件夹（{list_s:.1f} 秒）、数据库、结果表（`.parquet`）。"
        ),
        "scale_steps": "已完成的录音 | 最近 10 000 个的秒数 | 内存",
        "scale_runs": "同样的命令 | 分析的文件 | 秒数 | 最大内存",
        "scale_first": "第一次",
        "scale_again": "再次运行",
        "scale_added": "文件夹中新增 {judged} 个文件后",
        "scale_database": "数据库 {database_mb:.0f} MB，其日志最大 {log_mb_at_most:.0f} MB。",
        "cluster": (
            "{files} 个 10 秒 MP3，五个模型，{cores} 个核心（告诉 Ray 有 {told} 个）；"
            "结果表与本地引擎的相同。Ray 自身启动的 {start_s:.0f} 秒不计在内："
        ),
        "cluster_table": "引擎 | 工作进程 | 每秒片段数",
        "cost": (
            "上面那台机器的一个核心每秒判断 {core:.1f} 个录音（每个一个窗口，五个模型）。"
            "如果集群的核心与它相当，磁盘也跟得上："
        ),
        "cost_table": "录音数 | 核时 | 用 64 个核心",
        "minutes": "{minutes:.1f} 分钟",
        "service_alone": "只有一个客户端，中位数",
        "service_clients": "{clients} 个客户端，{seconds:.0f} 秒",
        "service_answers": "{answers} 个回答，丢失 {lost}，错误 {wrong}",
        "service_rate": "每秒回答数",
        "service_panel": "同一进程内 {clients} 个线程直接调用评审团，不经服务",
        "service_panel_rate": "每秒 {panel_per_s:.1f} 个；服务达到其 {over_panel:.2f}",
        "service_cores": "服务与“单个客户端的速度 × 核心数”之比",
        "service_median": "中位数，第 95 百分位",
        "service_memory": "内存：过了十分之一时间，结束时",
        "service_crowd": "{crowd} 个客户端同时到来",
        "service_crowd_answers": (
            "{crowd_answered} 个在 {crowd_s:.0f} 秒内得到回答，返回 429 共 "
            "{crowd_sent_away} 次，失败 {crowd_failed}"
        ),
        "service_after": "之后只有一个客户端，中位数",
        "service_run": (
            "10 秒的 MP3，五个模型，{cores} 个核心（客户端也在用），同一次运行。"
        ),
        "service_table": "项目 | 实测",
        "limit_peak": (
            "一个核心每秒可做 {fp32_1:.0f} GMAC（十亿次乘加）的 fp32 运算，用同一运行时的矩阵乘法"
            "测得；{cores} 个核心为 {fp32_all:.0f}。"
        ),
        "limit_table": "模型 | GMAC | 存储格式 | 一个核心 | GMAC/s | 占峰值",
        "limit_five": (
            "若所有核心都达到峰值，五个模型需要 {five_at_least_ms:.0f} ms；实际需要 "
            "{five_at_once_ms:.0f} ms，是可能速度的 {share_of_peak:.0%}。"
        ),
        "settings_table": "设置 | 五个模型在一个核心上依次运行的时间",
        "file_table": "处理器时间（毫秒） | {kinds}",
        "reading_table": "格式 | 十秒 | 同次运行的参照 | 比值",
        "soundfile": "soundfile、取平均、soxr",
        "av_by_hand": "PyAV、取平均、soxr",
        "librosa_load": "`librosa.load`",
        "stacks_table": "每张图的毫秒数，一个核心 | {sizes}",
        "importance": "五个模型的 49 处重要性",
        "without": "去掉一个区域再判断，从片段到 JSON",
        "teacher_table": "教师 | {artists} | {songs} | {known} | {sources}",
        "artists": "`train` 的歌曲，不学其艺人（{n} 首）",
        "songs": "`valid` 的歌曲（{n} 首）",
        "known": "`valid` 的其余录音（{n} 个）",
        "sources": "留出的合集（{n} 个录音）",
        "songs_table": "模型 | 原准确率 | 现在 | 原平均召回率 | 现在 | 校准误差",
        "genres_of_songs": "流派 | 歌曲数 | 教师 | {networks}",
        "two_windows": (
            "在有两个窗口的 {songs} 首歌曲上，十个模型的平均只看一个窗口判对 {one:.0%}，"
            "两个都看判对 {two:.0%}。歌曲这么少，还说明不了看全曲是否比看十秒更准，也不足以单独测定"
            "全曲的把握区间，因此沿用单个片段的。"
        ),
        "teacher": "线性教师",
        "mean of all": "全部十个的平均",
        "mean of cqt": "五个的平均，CQT",
        "mean of mel": "五个的平均，Mel",
        "as used": "现用",
        "other clips weigh 0.1": "其他片段的权重为 0.1",
        "other clips weigh 0.3": "其他片段的权重为 0.3",
        "other clips weigh 1.0": "其他片段的权重为 1",
        "prolific artists ^-0.0": "艺人的 n 首歌各计 1",
        "prolific artists ^-0.75": "艺人的 n 首歌各计 n 的 -0.75 次方",
        "frequent genres ^-0.0": "流派不加权",
        "frequent genres ^-0.3": "流派按数量的 -0.3 次方加权",
        "frequent genres ^-0.8": "流派按数量的 -0.8 次方加权",
        "decay 0.01": "权重衰减 0.01",
        "decay 0.1": "权重衰减 0.1",
        "one view: musicnn and YAMNet": "一个视图：musicnn 与 YAMNet",
        "one view: everything": "一个视图：全部",
        "three views": "三个视图",
        "256 hidden units": "256 个隐藏单元",
        "short": "乐曲长度 | 录音数 | 判对 | 首选流派的平均概率 | 校准误差",
        "speech_table": (
            "依据 | 认出的真人录音：原样 / 噪声 / 电话 / 配乐 | "
            "认出的 espeak-ng 合成语音（同左） | 误判的歌曲 | 误判的雨声、狗叫、哭声等 | 10 秒耗时"
        ),
        "speech_pieces": (
            "真人录音 {recorded} 段，espeak-ng 合成语音 {espeak} 段，歌曲 {songs} 段，其他声音 "
            "{other} 段。若阈值取在恰好认出九成真人录音之处，按有人声的帧所占比例判断，会把 "
            "{alarms:.0%} 的歌曲、{hiphop:.0%} 的说唱误判为说话；九项度量误判 {ours:.0%} 和 "
            "{ours_hiphop:.0%}。Silero VAD 的模型文件为 {mb:.1f} MB。"
        ),
        "measures": "我们的九项度量",
        "silero_share": "Silero VAD：有人声的帧所占比例",
        "silero_numbers": "Silero VAD：概率的六项统计",
        "both": "我们的度量加 Silero VAD 的均值",
        "install_ours": "ccmusic 及其模型",
        "install_dashboard": "同上，加仪表盘",
        "install_reference": "PyTorch（仅 CPU）、torchvision、librosa",
        "install_table": "项目 | 软件包数 | 下载 | 磁盘",
        "parts_table": "软件包 | 磁盘 | 用途",
        "parts_rest": "其余 {n} 个",
        "ccmusic": "检查点、示例录音和程序本身",
        "av": "FFmpeg，解码各种音频格式；其中约三分之一是视频编码器",
        "onnxruntime": "运行模型",
        "numpy": "计算频谱图；约一半是 OpenBLAS",
        "pillow": "按训练时的方式缩放图片；绘制 PNG",
        "pydantic-core": "校验模型卡、选项和 JSON",
        "pygments": "Rich（输出表格）的依赖，Typer 又依赖 Rich",
        # What benchmarks/results names in English.
        "as it is": "现用设置",
        "not optimised": "不优化",
        "basic": "基本优化",
        "extended": "扩展优化",
        "an arena for each model": "每个模型一个内存池",
        "memory patterns": "内存规划",
        "no memory arena": "不用内存池",
        "all cores for one model": "一个模型用全部核心",
        "branches at once": "并行执行分支",
        "normalised outside": "在外部归一化",
        "uint8 in, normalised inside": "输入 uint8，在图内归一化",
        "OpenVINO": "OpenVINO",
        "the panel, on all cores": "评审团，使用全部核心",
    },
}  # fmt: skip

LENGTHS = {
    "en": {"10 s": "ten seconds", "5 min": "the centre of five minutes"},
    "zh": {"10 s": "10 秒的文件", "5 min": "五分钟文件的正中"},
}

PARTS = {
    "en": {
        "open": "open, twice",
        "header": "header and length",
        "seek": "seek",
        "decode": "decode",
        "mix": "mix to mono",
        "resample": "resample",
        "quality": "silence, brightness",
        "speech": "speech",
        "cqt": "CQT",
        "picture": "picture",
        "networks": "five networks",
        "agreement": "mean and agreement",
        "json": "JSON",
        "rest": "all else",
        "sum": "together",
    },
    "zh": {
        "open": "打开（两次）",
        "header": "头部与时长",
        "seek": "定位",
        "decode": "解码",
        "mix": "混成单声道",
        "resample": "重采样",
        "quality": "静音与亮度",
        "speech": "说话声",
        "cqt": "CQT",
        "picture": "图",
        "networks": "五个模型",
        "agreement": "平均与一致程度",
        "json": "JSON",
        "rest": "其余",
        "sum": "合计",
    },
}


def reach(language: str) -> str:
    """What to expect of the five that are asked by default: test recordings, unknown artists."""
    panel = panels()["cqt"]
    assert panel.unknown_sources, "shipped without unknown sources"
    known, unknown = panel.metrics, panel.unknown_sources
    return WORDS[language]["reach"].format(
        known=share(known.accuracy, known.accuracy_interval),
        unknown=share(unknown.accuracy, unknown.accuracy_interval),
        n=known.recordings,
        songs=unknown.recordings,
    )


def speed(language: str) -> str:
    words = WORDS[language]
    panel = json.loads((RESULTS / "panel.json").read_text())
    kept = json.loads((RESULTS / "spectrogram.json").read_text())["result"]
    run, cqt, mel = panel["result"], kept["cqt"], kept["mel"]
    many, served = _result("batch"), _result("service")
    pieces = _result("pieces")
    process, install, asked = _result("process"), _result("install"), _result("together")

    def row(what: str, ours: float, reference: str, theirs: float) -> list[str]:
        return [
            words[what],
            f"{ours:.0f} ms" if ours >= 10 else f"{ours:.1f} ms",
            f"{words[reference]}: {theirs:.0f} ms",
            f"{ours / theirs:.2f}" if ours / theirs >= 0.01 else f"{ours / theirs:.4f}",
        ]

    rows = [
        row("file", run["file_to_json_ms"], "torch", run["torch_fp32_five_passes_ms"]),
        row("file", run["file_to_json_ms"], "torch_same", run["torch_fp32_same_networks_ms"]),
        row("once", run["five_at_once_ms"], "turn", run["five_in_turn_ms"]),
        row("cqt", cqt["ccmusic_ms"], "librosa", cqt["librosa_ms"]),
        row("first", cqt["ccmusic_first_call_ms"], "librosa_first", cqt["librosa_first_call_ms"]),
        row("mel", mel["ccmusic_ms"], "librosa", mel["librosa_ms"]),
        row("decode", pieces["decode_ms"], "load", pieces["librosa_load_ms"]),
        row("whole", pieces["timeline_ms"], "windows", pieces["window_by_window_ms"]),
        [words["five_whole"], f"{pieces['timeline_of_five_models_ms']:.0f} ms", "", ""],
        [words["importance"], f"{asked['importance_ms']:.0f} ms", "", ""],
        [words["without"], f"{asked['without_ms']:.0f} ms", "", ""],
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
        *(
            [
                words[f"batch{kind}"].format(n=many["files"]),
                words["rate"].format(rate=many[f"{prefix}batch_clips_per_s"]),
                f"{words['loop']}: {words['rate'].format(rate=many[f'{prefix}loop_clips_per_s'])}",
                f"{many[f'{prefix}ratio']:.1f}",
            ]
            for kind, prefix in (("", ""), ("_long", "long_"))
        ),
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
    return f"{words['cores'].format(**panel['machine'])}\n\n" + table(words["speed"], rows)


def page(language: str) -> str:
    words, kept = WORDS[language], json.loads((RESULTS / "dashboard.json").read_text())
    rows = [
        [words[f"page_{name}"], *(f"{spent[which]:.0f} ms" for which in ("median", "worst"))]
        for name, spent in kept["result"].items()
    ]
    return f"{words['page_on'].format(**kept['machine'])}\n\n{table(words['page_table'], rows)}"


def importing(language: str) -> str:
    words = WORDS[language]
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
    measured = words["measured_on"].format(cores=kept["machine"]["cores"])
    return f"{measured}\n\n{table(words['import_table'], rows)}"


def _result(name: str) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return {**kept["result"], "cores": kept["machine"]["cores"]}


def batch(language: str) -> str:
    words, run = WORDS[language], _result("batch")
    rows = [
        [words["batch_plain"], f"{run['loop_clips_per_s']:.2f}", "1"],
        [
            words["batch_ours"].format(**run),
            f"{run['batch_clips_per_s']:.2f}",
            f"{run['ratio']:.2f}",
        ],
    ]
    stacks = [[n, f"{rate:.2f}"] for n, rate in run["stacked_clips_per_s"].items()]
    return "\n\n".join([
        words["batch_run"].format(**run),
        table(words["batch_table"], rows),
        words["batch_stacks"],
        table(words["batch_stacks_table"], stacks),
    ])  # fmt: skip


def scale(language: str) -> str:
    words, runs = WORDS[language], _result("scale")
    first = runs["first"]
    steps = [
        [
            f"{step['recordings']:,}".replace(",", " "),
            f"{step['seconds'] - before['seconds']:.1f}",
            f"{step['megabytes']:.0f} MB",
        ]
        for before, step in pairwise(first["steps"])
    ]
    rows = [
        [
            words[f"scale_{name}"].format(**runs[name]),
            f"{runs[name]['judged']:,}".replace(",", " "),
            f"{runs[name]['processor_s']:.1f}",
            f"{runs[name]['megabytes_at_most']:.0f} MB",
        ]
        for name in ("first", "again", "added")
    ]
    return "\n\n".join([
        words["scale"].format(**first).replace(",000", " 000"),
        table(words["scale_steps"], steps),
        table(words["scale_runs"], rows),
        words["scale_database"].format(**first),
    ])  # fmt: skip


def cluster(language: str) -> str:
    words, run = WORDS[language], _result("cluster")
    rows = [
        [f"`{one['engine']}`", str(one["workers"]), f"{one['per_s']:.1f}"] for one in run["runs"]
    ]
    return f"{words['cluster'].format(**run)}\n\n{table(words['cluster_table'], rows)}"


def cost(language: str) -> str:
    words, run = WORDS[language], _result("batch")
    core = run["batch_clips_per_s"] / run["cores"]
    rows = [
        [
            f"{n:,}".replace(",", " "),
            f"{n / core / 3600:.1f}",
            words["minutes"].format(minutes=60 * n / core / 3600 / 64),
        ]
        for n in (10_000, 100_000, 1_000_000)
    ]
    return f"{words['cost'].format(core=core)}\n\n{table(words['cost_table'], rows)}"


def service(language: str) -> str:
    words, run = WORDS[language], _result("service")
    rows = [
        [words["service_alone"], f"{run['alone_ms']:.0f} ms"],
        [words["service_clients"].format(**run), words["service_answers"].format(**run)],
        [words["service_rate"], f"{run['answers_per_s']:.1f}"],
        [words["service_cores"], f"{run['over_cores_alone']:.2f}"],
        [words["service_panel"].format(**run), words["service_panel_rate"].format(**run)],
        [
            words["service_median"],
            f"{run['median_ms']:.0f} ms, {run['p95_ms']:.0f} ms ({run['p95_over_median']:.2f} x)",
        ],
        [
            words["service_memory"],
            f"{run['memory_mb_after_a_tenth']:.0f} MB, {run['memory_mb_at_the_end']:.0f} MB",
        ],
        [words["service_crowd"].format(**run), words["service_crowd_answers"].format(**run)],
        [words["service_after"], f"{run['alone_after_ms']:.0f} ms"],
    ]
    return f"{words['service_run'].format(**run)}\n\n{table(words['service_table'], rows)}"


def limit(language: str) -> str:
    words, run = WORDS[language], _result("limit")
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
    peak, cores = run["peak"], run["cores"]
    return "\n\n".join([
        words["limit_peak"].format(**peak, fp32_all=peak[f"fp32_{cores}"], cores=cores),
        table(words["limit_table"], rows),
        words["limit_five"].format(**run),
    ])  # fmt: skip


def settings(language: str) -> str:
    words, run = WORDS[language], _result("variants")["settings"]
    rows = [[words.get(name, name), f"{ratio:.2f}"] for name, ratio in run.items()]
    return table(words["settings_table"], rows)


def file(language: str) -> str:
    """What each part of judging a file takes, by format."""
    words, kept = WORDS[language], json.loads((RESULTS / "parts.json").read_text())
    tables = []
    for length, title in LENGTHS[language].items():
        of = kept["result"][length]
        kinds = {kind: {**parts, "sum": sum(parts.values())} for kind, parts in of.items()}
        rows = [
            [name, *(f"{parts[part]:.1f}" for parts in kinds.values())]
            for part, name in PARTS[language].items()
        ]
        names = " | ".join(kind.upper() for kind in kinds)
        tables.append(f"{title}:\n\n{table(words['file_table'].format(kinds=names), rows)}")
    return "\n\n".join(text[0].upper() + text[1:] for text in tables)


def reading(language: str) -> str:
    """Reading ten seconds of a long file beside other readers."""
    words, kept = WORDS[language], json.loads((RESULTS / "reading.json").read_text())
    names = {"soundfile": "soundfile", "av": "av_by_hand", "librosa": "librosa_load"}
    rows = [
        [
            kind.upper(),
            f"{of['ms']:.0f} ms",
            f"{words[names[of['reference']]]}: {of['reference_ms']:.0f} ms",
            f"{of['ratio']:.2f}",
        ]
        for kind, of in kept["result"].items()
    ]
    return table(words["reading_table"], rows)


def stacks(language: str) -> str:
    """Several pictures in one inference, by network."""
    words, found = WORDS[language], _result("together")["stacks"]
    rows = [[f"`{name}`", *(f"{ms:.1f}" for ms in of.values())] for name, of in found.items()]
    sizes = " | ".join(next(iter(found.values())))
    return table(words["stacks_table"].format(sizes=sizes), rows)


def installation(language: str) -> str:
    words, run = WORDS[language], _result("install")
    names = {
        "ccmusic": "install_ours",
        "ccmusic_dashboard": "install_dashboard",
        "reference": "install_reference",
    }
    rows = [
        [
            words[key],
            str(run[name]["packages"]),
            f"{run[name]['download_mb']:.0f} MB",
            f"{run[name]['disk_mb']:.0f} MB",
        ]
        for name, key in names.items()
    ]
    return table(words["install_table"], rows)


def parts(language: str) -> str:
    """What of the base installation weighs most; the small ones in one line."""
    words, sizes = WORDS[language], _result("install")["ccmusic"]["parts_mb"]
    heavy = {name: size for name, size in sizes.items() if size >= 3}
    rows = []
    for name, size in heavy.items():
        key = name.lower().replace("_", "-")
        rows.append([f"`{key}`", f"{size:.0f} MB", words[key]])
    rest = sum(sizes.values()) - sum(heavy.values())
    rows.append([words["parts_rest"].format(n=len(sizes) - len(heavy)), f"{rest:.0f} MB", ""])
    return table(words["parts_table"], rows)


def teacher(language: str) -> str:
    words, found = WORDS[language], _of_references("teacher")
    heads = {side: words[side].format(n=of["recordings"]) for side, of in found["as used"].items()}
    rows = [
        [
            words.get(name, name),
            *(f"{side['accuracy']:.2f} / {side['mean_recall']:.2f}" for side in of.values()),
        ]
        for name, of in found.items()
    ]
    return table(words["teacher_table"].format(**heads), rows)


def songs(language: str) -> str:
    """What each network, their means and the teacher reach on songs of ``valid``."""
    words, now, before = (
        WORDS[language],
        _of_references("songs"),
        _of_references("songs_before"),
    )
    windows = now.pop("windows")
    rows = [
        [
            words.get(name, f"`{name}`"),
            *(
                f"{of[name][key]:.2f}"
                for key in ("accuracy", "macro_recall")
                for of in (before, now)
            ),
            f"{now[name]['calibration_error']:.2f}",
        ]
        for name in now
    ]
    columns = [name for name in now if name != "teacher" and name not in WORDS["zh"]]
    columns = ["mean of all", *columns]
    genres = [
        [
            genre_name(genre, language),
            str(now["teacher"]["support"][genre]),
            *(f"{now[name]['recall'][genre]:.0%}" for name in ("teacher", *columns)),
        ]
        for genre in now["teacher"]["recall"]
    ]
    networks = " | ".join(words.get(name, f"`{name}`") for name in columns)
    pairs = words["two_windows"].format(
        songs=windows["two"]["songs"],
        one=windows["one"]["accuracy"],
        two=windows["two"]["accuracy"],
    )
    return "\n\n".join([
        table(words["songs_table"], rows),
        table(words["genres_of_songs"].format(networks=networks), genres),
        pairs,
    ])  # fmt: skip


def _of_references(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        (ROOT / "references" / "results" / f"{name}.json").read_text()
    )
    found: dict[str, Any] = content.get("found", content)
    return found


def short_pieces(language: str) -> str:
    found = _of_references("short_pieces")
    rows = [
        [
            f"{seconds} s",
            str(of["recordings"]),
            f"{of['accuracy']:.0%}",
            f"{of['confidence']:.0%}",
            f"{of['calibration_error']:.2f}",
        ]
        for seconds, of in found.items()
    ]
    return table(WORDS[language]["short"], rows)


def speech(language: str) -> str:
    words = WORDS[language]
    found = json.loads((ROOT / "references" / "results" / "speech.json").read_text())
    ways, cost = found["ways"], found["cost"]
    milliseconds = {"measures": cost["measures_ms"], "both": cost["measures_ms"]}
    rows = []
    for name, of in ways.items():
        ms = milliseconds.get(name, 0) + (name != "measures") * cost["silero_ms"]
        talk = [
            " / ".join(f"{of[kind][how]:.2f}" for how in ("plain", "noise", "telephone", "music"))
            for kind in ("recorded", "espeak-ng")
        ]
        alarms = [f"{of[kind]['plain']:.1%}" for kind in ("song", "environment")]
        rows.append([words[name], *talk, *alarms, f"{ms:.0f} ms"])
    ours, share_of_frames = (
        ways[name]["song where nine of ten recordings are found"]
        for name in ("measures", "silero_share")
    )
    kinds = {"recorded": "recorded", "espeak": "espeak-ng", "songs": "song", "other": "environment"}
    text = words["speech_pieces"].format(
        **{key: ways["measures"][kind]["plain_pieces"] for key, kind in kinds.items()},
        alarms=share_of_frames["all"],
        hiphop=share_of_frames["hiphop"],
        ours=ours["all"],
        ours_hiphop=ours["hiphop"],
        mb=cost["silero_bytes"] / 1e6,
    )
    return f"{table(words['speech_table'], rows)}\n\n{text}"


def filled(text: str, contents: dict[str, str]) -> str:
    return re.sub(
        r"(<!-- figures:(\w+) -->\n).*?(<!-- end -->)",
        lambda match: f"{match[1]}{contents[match[2]]}\n{match[3]}",
        text,
        flags=re.DOTALL,
    )


def main() -> None:
    pages = {}
    for language, ending in (("en", ".md"), ("zh", ".zh.md")):
        for name, tables in (
            ("README", {"reach": reach}),
            ("docs/weights", {"import": importing}),
            (
                "docs/training",
                {"teacher": teacher, "songs": songs, "short": short_pieces},
            ),
            ("docs/architecture", {"speech": speech}),
            ("docs/batch", {"batch": batch, "scale": scale, "cluster": cluster, "cost": cost}),
            ("docs/service", {"service": service}),
            (
                "docs/speed",
                {
                    "speed": speed,
                    "page": page,
                    "limit": limit,
                    "settings": settings,
                    "file": file,
                    "reading": reading,
                    "stacks": stacks,
                    "installation": installation,
                    "parts": parts,
                },
            ),
        ):
            path = ROOT / f"{name}{ending}"
            contents = {block: written(language) for block, written in tables.items()}
            pages[path] = filled(path.read_text(encoding="utf-8"), contents)
    update(pages, sys.argv)


if __name__ == "__main__":
    main()
