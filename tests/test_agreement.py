from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccmusic.agreement import agree, mean_probabilities
from ccmusic.card import ModelCard
from ccmusic.errors import CCMusicError
from ccmusic.verdict import Verdict
from small_models import make_checkpoint


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    return make_checkpoint(
        tmp_path_factory.mktemp("card"), "small", classes=("jazz", "rock", "pop")
    )


def _verdict(card: ModelCard, *shares: float) -> Verdict:
    return Verdict(card, logits=np.log(np.array(shares, np.float32)))


def test_unanimous(card: ModelCard) -> None:
    result = agree([_verdict(card, 0.8, 0.1, 0.1)] * 5)
    assert result is not None
    assert (result.top, result.votes, result.models, result.split) == ("jazz", 5, 5, None)
    assert result.divergence == pytest.approx(0, abs=1e-6)
    assert result.message() == "all 5 models hear Jazz"
    assert result.message("zh") == "5 个模型一致听到爵士"


def test_torn_between_two(card: ModelCard) -> None:
    result = agree([_verdict(card, 0.8, 0.1, 0.1)] * 3 + [_verdict(card, 0.1, 0.8, 0.1)] * 2)
    assert result is not None
    assert (result.top, result.votes, result.split) == ("jazz", 3, ("jazz", "rock"))
    assert "torn between Jazz and Rock" in result.message()


def test_a_lone_dissenter_without_weight_does_not_split(card: ModelCard) -> None:
    result = agree([_verdict(card, 0.9, 0.05, 0.05)] * 4 + [_verdict(card, 0.45, 0.5, 0.05)])
    assert result is not None
    assert (result.votes, result.split) == (4, None)
    assert result.message() == "4 of 5 models hear Jazz"


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
    assert (result.models, result.message()) == (1, "one model, no cross-check: it hears Rock")
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


@given(st.lists(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), min_size=1, max_size=5))
def test_bounds_and_order(card: ModelCard, rows: list[list[float]]) -> None:
    verdicts = [_verdict(card, *row) for row in rows]
    result, reverse = agree(verdicts), agree(verdicts[::-1])
    assert result is not None
    assert reverse is not None
    assert 0 <= result.divergence <= 1
    assert 1 <= result.votes <= len(rows)
    assert (result.votes, result.divergence) == (
        reverse.votes,
        pytest.approx(reverse.divergence, abs=1e-9),
    )
