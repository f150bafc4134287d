"""Write ``docs/analysis.schema.json`` from the program: ``python tools/schema.py``.

With ``--check`` nothing is written, and the exit status is 1 if the page has drifted.
"""

import json
import sys
from pathlib import Path

from ccmusic.schema import json_schema
from tables import update

SCHEMA = Path(__file__).parent.parent / "docs" / "analysis.schema.json"

if __name__ == "__main__":
    text = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    update({SCHEMA: text}, sys.argv)
