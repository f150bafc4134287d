"""A table of a library, looked at with pandas."""

import subprocess
import sys

import pandas as pd

command = ["batch", "music", "--models", "mobilenet_v3_large", "-o", "genres.csv"]
subprocess.run([sys.executable, "-m", "ccmusic", *command], check=True, capture_output=True)

table = pd.read_csv("genres.csv")
print(list(table.path))
print(table.set_index("path").genre["music/rain.ogg"])
means = table.filter(regex="^mean_")
print(bool((means.sum(axis=1).round(3) == 1).all()))
print(table.genre.value_counts().sum() == len(table))
