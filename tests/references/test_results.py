"""What was measured of the shipped checkpoints is of those that are shipped."""

import json

import pytest

from ccmusic.card import ModelCard
from ccmusic.zoo import SHIPPED
from networks import names
from shared import RESULTS


@pytest.mark.parametrize("name", ["songs", "short_pieces", "twelve", "divergence"])
def test_results_are_of_the_checkpoints_that_are_shipped(name: str) -> None:
    cards = [ModelCard.read(SHIPPED / f"{each}.json") for each in names()]
    of = json.loads((RESULTS / f"{name}.json").read_text())["of"]
    assert of == {card.name: card.sha256 for card in cards}
