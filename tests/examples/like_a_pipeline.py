"""What a pipeline of audio classification gives: label and score, for several recordings."""

from pathlib import Path

from ccmusic import Panel


def pipeline(transform="cqt", models=None):
    panel = Panel.open(transform, models)

    def classify(sources, top_k=3):
        if not isinstance(sources, list):
            return [{"label": g, "score": p} for g, p in panel(sources).top(top_k)]
        return [classify(source, top_k) for source in sources]

    return classify


classifier = pipeline(models=["mobilenet_v3_large"])
print([found["label"] for found in classifier("song.ogg", top_k=2)])
with Path("music/rain.ogg").open("rb") as file:
    one, other = classifier([file.read(), "song.ogg"], top_k=1)
print(one[0]["label"], 0 < one[0]["score"] <= 1, other[0]["label"])
