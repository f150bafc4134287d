"""Lines of `ccmusic classify --json`, read in another program."""

import subprocess
import sys

from ccmusic import schema

command = ["classify", "song.ogg", "missing.mp3", "--json", "--models", "mobilenet_v3_large"]
done = subprocess.run([sys.executable, "-m", "ccmusic", *command], capture_output=True)
for line in done.stdout.splitlines():
    document = schema.read(line)
    if isinstance(document, schema.ErrorDocument):
        print(document.file, "failed:", document.error)
    else:
        (verdict,) = document.models.values()
        print(document.file, document.clip.codec, verdict.top[0].genre, document.advice is not None)
print(done.returncode)
