"""Try a wheel as a stranger would: ``python .ci/try_wheel.py dist/ccmusic-*.whl``.

Installs it with the dashboard into an empty environment, lets it judge an example that it brings
along, and waits until the dashboard answers. Works on Linux, macOS and Windows.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from pathlib import Path

PATIENCE = 120  # seconds until the dashboard answers


def main() -> None:
    (wheel,) = (Path(name).resolve() for name in sys.argv[1:])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        scratch = Path(folder).resolve()
        venv.create(scratch / "venv", with_pip=True)
        windows = sys.platform == "win32"
        programs = scratch / "venv" / ("Scripts" if windows else "bin")
        python, ccmusic = (programs / (n + ".exe" * windows) for n in ("python", "ccmusic"))
        # Neither this checkout nor checkpoints of one's own may help.
        os.environ.pop("PYTHONPATH", None)
        os.environ["CCMUSIC_HOME"] = str(scratch / "home")
        os.environ["STREAMLIT_SERVER_HEADLESS"] = "true"
        os.chdir(scratch)

        pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        run(*pip, "install", f"{wheel}[dashboard]")
        run(*pip, "check")
        run(ccmusic, "--help")

        where = "import ccmusic, pathlib; print(pathlib.Path(ccmusic.__file__).parent)"
        package = Path(run(python, "-c", where).strip())
        assert scratch in package.parents, package
        song = min((package / "examples").glob("*.ogg"))
        verdicts = json.loads(run(ccmusic, "classify", str(song), "--json"))
        assert len(verdicts["models"]) == 5, verdicts
        assert not any("error" in model for model in verdicts["models"].values()), verdicts
        print(f"{song.name}: {verdicts['agreement']['message']}")

        # Drawn without any extra.
        run(ccmusic, "report", str(song), "-o", "report.html")
        run(ccmusic, "spectrogram", str(song), "-o", "spectrogram.png")

        try_dashboard(ccmusic)
        print("the dashboard answers")


def run(*command: str | Path) -> str:
    """Run a program; its output."""
    print("$", *command, flush=True)
    environment = {**os.environ, "PYTHONUTF8": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", env=environment)
    if done.returncode:
        sys.exit(f"{done.stdout}\nexit status {done.returncode}")
    return done.stdout


def try_dashboard(ccmusic: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [ccmusic, "dashboard", "--host", "127.0.0.1", "--port", str(port)]
    print("$", *command, flush=True)
    server = subprocess.Popen(command)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + PATIENCE
    try:
        while True:
            try:
                with direct.open(f"http://127.0.0.1:{port}/_stcore/health", timeout=5) as answer:
                    assert answer.read() == b"ok"
                return
            except OSError:
                if server.poll() is not None or time.monotonic() > end:
                    sys.exit("the dashboard did not start")
                time.sleep(0.2)
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
