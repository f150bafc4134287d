"""Accuracy on recordings with known genres, as of any estimator."""

from ccmusic import Panel

truth = {"music/rain.ogg": "environment", "music/enemy_unknown.ogg": "electronic"}
with Panel.open("mel", ["mobilenet_v3_large", "efficientnet_b0"]) as panel:
    predicted = panel.predict(truth)
    shares = [panel(path).mean for path in truth]
right = [genre == found for genre, found in zip(truth.values(), predicted, strict=True)]
print(predicted, sum(right) / len(right))
print([round(sum(share.values()), 3) for share in shares])
