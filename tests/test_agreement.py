import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccmusic import agreement
from ccmusic.agreement import agree, mean_probabilities
from ccmusic.card import ModelCard
from ccmusic.errors import CCMusicError
from ccmusic.verdict import Verdict
from small_models import make_checkpoint

RESULTS = Path(__file__).parent.parent / "references" / "results"


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    return make_checkpoint(
        tmp_path_factory.mktemp("card"), "small", classes=("jazz", "rock", "pop")
    )


def _verdict(card: ModelCard, *shares: float) -> Verdict:
    return Verdict(card, logits=np.log(np.array(shares, np.float32)))


# Votes as shares for jazz, rock and pop of each model; the sentences in both languages.
J, R, P = (0.8, 0.15, 0.05), (0.15, 0.8, 0.05), (0.05, 0.15, 0.8)
GOLDEN = [
    (
        [J],
        "only one model is on; it says Jazz",
        "只启用了一个模型，它认为是爵士",
    ),
    ([J] * 5, "all 5 models say Jazz", "5 个模型一致认为是爵士"),
    ([J] * 4 + [R], "4 of 5 models say Jazz", "5 个模型中有 4 个认为是爵士"),
    ([J] * 2 + [R], "2 of 3 models say Jazz", "3 个模型中有 2 个认为是爵士"),
    (
        [J] * 3 + [R] * 2,
        "split: 3 × Jazz, 2 × Rock; it may be a bit of both",
        "模型意见不一：爵士 3 票，摇滚 2 票。这段音乐可能兼有两种风格",
    ),
    (
        [J] * 6 + [R] * 4,
        "split: 6 × Jazz, 4 × Rock; it may be a bit of both",
        "模型意见不一：爵士 6 票，摇滚 4 票。这段音乐可能兼有两种风格",
    ),
    ([J] * 7 + [R] * 3, "7 of 10 models say Jazz", "10 个模型中有 7 个认为是爵士"),
    (
        [J, J, R, R, P],
        "no clear majority: 2 × Rock, 2 × Jazz, 1 × Pop",
        "模型意见分散：摇滚 2 票，爵士 2 票，流行 1 票",
    ),
    (
        [J] * 3 + [R, P],
        "no clear majority: 3 × Jazz, 1 × Rock, 1 × Pop",
        "模型意见分散：爵士 3 票，摇滚 1 票，流行 1 票",
    ),
    (
        [(0.4, 0.35, 0.25)] * 4 + [(0.01, 0.98, 0.01)],
        "4 of 5 models say Jazz; on average Rock leads",
        "5 个模型中有 4 个认为是爵士；按平均概率，摇滚略占上风",
    ),
    (
        [(0.45, 0.10, 0.45 - 1e-3)] * 3 + [(0.1, 0.46, 0.44)] * 2,
        "split: 3 × Jazz, 2 × Rock; it may be a bit of both; on average Pop leads",
        "模型意见不一：爵士 3 票，摇滚 2 票。这段音乐可能兼有两种风格；按平均概率，流行略占上风",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("votes", "english", "chinese"), GOLDEN, ids=[g[1] for g in GOLDEN])
def test_each_sentence(
    card: ModelCard, votes: list[tuple[float, ...]], english: str, chinese: str
) -> None:
    for verdicts in (votes, votes[::-1]):
        result = agree([_verdict(card, *shares) for shares in verdicts])
        assert result is not None
        assert result.message() == english
        assert result.message("zh") == chinese


def test_only_two_camps_without_a_clear_majority_are_a_split(card: ModelCard) -> None:
    def split(*votes: tuple[float, ...]) -> tuple[str, str] | None:
        result = agree([_verdict(card, *shares) for shares in votes])
        assert result is not None
        assert sum(n for _, n in result.camps) == result.models
        assert result.camps[0] == (result.top, result.votes)
        return result.split

    assert split(J, J, J, R, R) == ("jazz", "rock")
    assert split(J, (0.1, 0.9, 0.0001)) == ("rock", "jazz")  # equal votes: the mean decides
    assert split(J, J, J, J, R) is None
    assert split(J, J, R) is None
    assert split(J, J, R, R, P) is None
    # However sure the lone one is, four of five are a clear majority.
    assert split(*[(0.4, 0.35, 0.25)] * 4, (0.01, 0.98, 0.01)) is None


def test_unanimous(card: ModelCard) -> None:
    result = agree([_verdict(card, 0.8, 0.1, 0.1)] * 5)
    assert result is not None
    assert (result.top, result.votes, result.models, result.split) == ("jazz", 5, 5, None)
    assert result.camps == (("jazz", 5),)
    assert result.divergence == pytest.approx(0, abs=1e-6)


def test_divergence_is_that_of_lin_over_its_maximum(card: ModelCard) -> None:
    rows = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])
    result = agree([_verdict(card, *row) for row in rows])
    assert result is not None

    def entropy(shares: np.ndarray) -> float:
        return -float((shares * np.log(shares)).sum())

    gap = entropy(rows.mean(axis=0)) - np.mean([entropy(row) for row in rows])
    assert result.divergence == pytest.approx(gap / np.log(3), abs=1e-6)


def test_divergence_has_words(card: ModelCard) -> None:
    def words(*votes: tuple[float, ...]) -> tuple[str, str]:
        result = agree([_verdict(card, *shares) for shares in votes])
        assert result is not None
        return result.divergence_message(), result.divergence_message("zh")

    assert words(J, J) == ("divergence 0.00: one opinion", "分歧度 0.00：意见一致")
    middle = words(J, J, (0.5, 0.45, 0.05))
    differ = "the probabilities differ a little", "概率略有出入"
    assert middle == (f"divergence 0.05: {differ[0]}", f"分歧度 0.05：{differ[1]}")
    far = "the probabilities lie far apart", "概率相差较大"
    assert words(J, R) == (f"divergence 0.35: {far[0]}", f"分歧度 0.35：{far[1]}")
    # Two models may share nearly all and still choose otherwise: that is no one opinion.
    near = words((0.46, 0.44, 0.1), (0.44, 0.46, 0.1))
    assert near == (f"divergence 0.00: {differ[0]}", f"分歧度 0.00：{differ[1]}")
    assert words(J) == ("", "")


def test_words_for_the_divergence_are_from_the_measured_thirds() -> None:
    measured = json.loads((RESULTS / "divergence.json").read_text())["found"]
    for panel in measured.values():
        below, above = panel["thirds"]
        assert abs(below - agreement._ONE_OPINION) < 0.015
        assert abs(above - agreement._FAR_APART) < 0.015


def test_equal_votes_are_decided_by_the_mean(card: ModelCard) -> None:
    result = agree([_verdict(card, 0.5, 0.4, 0.1), _verdict(card, 0.05, 0.9, 0.05)])
    assert result is not None
    assert result.top == "rock"


def test_models_with_nothing_in_common_diverge_wholly(card: ModelCard) -> None:
    tiny = 1e-9
    result = agree([_verdict(card, 1, tiny, tiny), _verdict(card, tiny, 1, tiny)])
    assert result is not None
    assert result.divergence == pytest.approx(1, abs=1e-3)


def test_failed_models_have_no_voice(card: ModelCard) -> None:
    failed = Verdict(card, error=CCMusicError("broken"))
    good = _verdict(card, 0.2, 0.7, 0.1)
    result = agree([failed, good])
    assert result is not None
    assert (result.models, result.top) == (1, "rock")
    assert mean_probabilities([failed, good])["rock"] == pytest.approx(0.7, abs=1e-6)
    assert agree([failed]) is None
    assert mean_probabilities([failed]) == {}


def test_only_models_with_the_same_classes_are_compared(card: ModelCard, tmp_path: Path) -> None:
    other = make_checkpoint(tmp_path, "other", classes=("opera", "solo"), favourite="opera")
    verdicts = [_verdict(card, 0.8, 0.1, 0.1)] * 2 + [_verdict(other, 0.9, 0.1)]
    result = agree(verdicts)
    assert result is not None
    assert (result.models, result.top) == (2, "jazz")
    assert set(mean_probabilities(verdicts)) == {"jazz", "rock", "pop"}


@given(st.permutations(range(3)), st.permutations(range(3)))
def test_the_order_of_classes_does_not_matter(
    card: ModelCard, first: list[int], second: list[int]
) -> None:
    rows = np.array([[0.7, 0.2, 0.1], [0.15, 0.6, 0.25], [0.5, 0.3, 0.2]])
    expected = agree([_verdict(card, *row) for row in rows])
    orders = [range(3), first, second]
    permuted = [
        _verdict(
            card.model_copy(update={"classes": tuple(card.classes[i] for i in order)}), *row[order]
        )
        for row, order in zip(rows, map(list, orders), strict=True)
    ]
    result = agree(permuted)
    assert result is not None
    assert expected is not None
    assert (result.camps, result.models) == (expected.camps, 3)
    assert result.divergence == pytest.approx(expected.divergence, abs=1e-9)
    mean = mean_probabilities(permuted)
    assert mean == pytest.approx(mean_probabilities([_verdict(card, *row) for row in rows]))


@given(st.lists(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), min_size=1, max_size=5))
def test_bounds_and_order(card: ModelCard, rows: list[list[float]]) -> None:
    verdicts = [_verdict(card, *row) for row in rows]
    result, reverse = agree(verdicts), agree(verdicts[::-1])
    assert result is not None
    assert reverse is not None
    assert 0 <= result.divergence <= 1
    assert 1 <= result.votes <= len(rows)
    assert result.votes == reverse.votes
    assert result.divergence == pytest.approx(reverse.divergence, abs=1e-9)
