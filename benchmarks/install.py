"""What an installation weighs: ``python benchmarks/install.py [SET...]``.

Downloads the wheels of ccmusic, with and without the dashboard, and of PyTorch, torchvision and
librosa, and unpacks each set into an empty folder. Needs the network, or wheels that pip finds.
Sets that are not named keep their last result.
"""

import json
import subprocess
import sys
import tempfile
from importlib.metadata import distributions
from pathlib import Path

from timing import RESULTS, keep

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


def parts(folder: Path) -> dict[str, float]:
    """Megabytes of each package, the heaviest first."""
    sizes = {
        found.name: sum(file.size or 0 for file in found.files or ()) / 1e6
        for found in distributions(path=[str(folder)])
    }
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def main() -> None:
    kept = RESULTS / "install.json"
    rows = json.loads(kept.read_text())["result"] if kept.exists() else {}
    for name in sys.argv[1:] or SETS:
        with tempfile.TemporaryDirectory() as scratch:
            wheels, installed = Path(scratch) / "wheels", Path(scratch) / "installed"
            pip("wheel", "--wheel-dir", str(wheels), *SETS[name])
            files = [str(path) for path in wheels.glob("*.whl")]
            pip("install", "--no-deps", "--no-compile", "--target", str(installed), *files)
            rows[name] = {
                "packages": len(files),
                "download_mb": megabytes(wheels),
                "disk_mb": megabytes(installed),
                "parts_mb": parts(installed),
            }
        print(name, json.dumps(rows[name]), flush=True)
    keep("install", rows)


if __name__ == "__main__":
    main()
