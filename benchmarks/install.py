"""What an installation weighs: ``python benchmarks/install.py``.

Downloads the wheels of ccmusic, with and without the dashboard, and of PyTorch, torchvision and
librosa, and unpacks each set into an empty folder. Needs the network, or wheels that pip finds.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from timing import keep

ROOT = Path(__file__).parent.parent
SETS = {
    "ccmusic": [str(ROOT)],
    "ccmusic_dashboard": [f"{ROOT}[dashboard]"],
    "reference": ["torch", "torchvision", "librosa"],
}


def pip(*arguments: str) -> None:
    constraints = ["--constraint", str(ROOT / "constraints.txt")]
    command = [sys.executable, "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, *constraints], check=True)


def megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def main() -> None:
    rows = {}
    for name, wanted in SETS.items():
        with tempfile.TemporaryDirectory() as scratch:
            wheels, installed = Path(scratch) / "wheels", Path(scratch) / "installed"
            pip("wheel", "--wheel-dir", str(wheels), *wanted)
            files = [str(path) for path in wheels.glob("*.whl")]
            pip("install", "--no-deps", "--no-compile", "--target", str(installed), *files)
            rows[name] = {
                "packages": len(files),
                "download_mb": megabytes(wheels),
                "disk_mb": megabytes(installed),
            }
        print(name, json.dumps(rows[name]), flush=True)
    keep("install", rows)


if __name__ == "__main__":
    main()
