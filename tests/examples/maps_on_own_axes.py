"""Where five networks found a genre: five maps, one scale, one colour bar."""

import matplotlib.pyplot as plt

from ccmusic import analyze

analysis = analyze("song.ogg")
genre, probability = analysis.top(1)[0]
maps = {name: analysis.attention(name, genre) for name in analysis.verdicts}
strongest = max(found.coarse.max() for found in maps.values())

figure, axes = plt.subplots(1, len(maps), figsize=(15, 4), layout="constrained")
for ax, (name, found) in zip(axes, maps.items(), strict=True):
    image = found.plot(ax, strongest=strongest)
    ax.set_title(analysis.verdicts[name].card.title())
    if found.region:
        print(name, found.region.message())
figure.colorbar(image, ax=axes)
figure.suptitle(f"{genre} {probability:.0%}")
figure.savefig("maps.png")
print(image.get_clim() == (0, float(strongest)))
