import io
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from ccmusic import sandbox, zoo
from ccmusic.api import analyze
from ccmusic.errors import CCMusicError, CheckpointError, without_paths
from ccmusic.sandbox import Sandbox
from ccmusic.service import create_app
from services import SONG, opened

ROUTES = ("/v1/classify", "/v1/classify/events", "/v1/spectrogram")


def _file(content: bytes | Path = SONG, name: str = "song.ogg") -> dict[str, Any]:
    return {"file": (name, content if isinstance(content, bytes) else content.read_bytes())}


def _events(text: str) -> list[tuple[str, dict[str, Any]]]:
    blocks = [block.splitlines() for block in text.strip().split("\n\n")]
    pairs = [dict(line.split(": ", 1) for line in block) for block in blocks]
    return [(pair["event"], json.loads(pair["data"])) for pair in pairs if "event" in pair]


def _is_problem(response: httpx2.Response, status: int, code: str | None = None) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    content = response.json()
    assert content["status"] == status
    assert content["title"]
    assert "\n" not in content["detail"]
    assert "Traceback" not in response.text
    assert content.get("code") == code
    return content


def test_classify_says_what_the_library_says(client: TestClient) -> None:
    answer = client.post("/v1/classify", files=_file(), data={"top_k": "2"})
    assert answer.status_code == 200
    content, analysis = answer.json(), analyze(SONG)
    assert content["file"] == "song.ogg"
    assert content["clip"]["duration"] == analysis.clip.info.duration
    assert list(content["models"]) == list(analysis.verdicts)
    for name, model in content["models"].items():
        verdict = analysis.verdicts[name]
        assert model["sha256"] == verdict.card.sha256
        assert model["probabilities"] == pytest.approx(verdict.probabilities)
        assert [c["genre"] for c in model["top"]] == [genre for genre, _ in verdict.top(2)]
        assert model["attention"] is None
    assert analysis.agreement is not None
    assert content["agreement"]["message"] == analysis.agreement.message()
    assert content.keys() == analysis.to_dict().keys()


def test_attention_and_a_choice_of_models(client: TestClient) -> None:
    data = {"models": "rock", "attention": "true"}
    models = client.post("/v1/classify", files=_file(), data=data).json()["models"]
    assert list(models) == ["rock_cqt"]
    model = models["rock_cqt"]
    assert model["attention"]["genre"] == "rock"
    assert np.shape(model["attention"]["values"]) == (7, 7)


def test_verdicts_come_one_by_one_then_the_whole(client: TestClient) -> None:
    answer = client.post("/v1/classify/events", files=_file())
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = _events(answer.text)
    assert [kind for kind, _ in events] == ["verdict", "verdict", "done"]
    assert {name for _, data in events[:2] for name in data["models"]} == {"jazz_cqt", "rock_cqt"}
    whole = client.post("/v1/classify", files=_file()).json()
    assert events[-1][1]["mean"] == whole["mean"]


def test_spectrogram_as_picture_and_as_numbers(client: TestClient) -> None:
    for transform in ("cqt", "mel", "chroma"):
        data = {"transform": transform}
        drawn = client.post("/v1/spectrogram", files=_file(), data=data)
        assert drawn.headers["content-type"] == "image/png"
        assert Image.open(io.BytesIO(drawn.content)).width > 500
        levels = client.post("/v1/spectrogram", files=_file(), data={**data, "format": "json"})
        content = levels.json()
        expected = (len(content["frequencies"]), len(content["times"]))
        assert np.shape(content["decibels"]) == expected
        assert np.max(content["decibels"]) == 0


def test_models_and_health(client: TestClient) -> None:
    rows = client.get("/v1/models").json()
    assert [row["name"] for row in rows] == ["jazz_cqt", "rock_cqt"]
    assert client.get("/healthz").text == "alive"
    while client.get("/readyz").status_code == 503:
        time.sleep(0.01)
    assert client.get("/readyz").text == "ready"


def test_metrics_count_answers_and_no_strangers_paths(client: TestClient) -> None:
    client.post("/v1/classify", files=_file())
    client.get("/secret/../../etc/passwd")
    text = client.get("/metrics").text
    assert 'ccmusic_requests_total{path="/v1/classify",status="200"} 1.0' in text
    assert 'ccmusic_requests_total{path="other",status="404"} 1.0' in text
    assert "passwd" not in text
    assert "ccmusic_requests_inside 0.0" in text
    assert "ccmusic_request_seconds_bucket" in text


def test_metrics_do_not_grow_with_what_strangers_ask_for(client: TestClient) -> None:
    def labels() -> int:
        return client.get("/metrics").text.count("ccmusic_requests_total{")

    for i in range(50):
        for path in (f"/static-offline-docs/{i}/%2e%2e/swagger-ui.css", f"/v1/{i}", f"/{i}"):
            client.head(path)
            client.get(path)
    labels()  # which counts itself from now on
    before = labels()
    assert before < 12
    client.get("/healthz")
    client.get("/healthz?a=b")
    text = client.get("/metrics").text
    assert 'ccmusic_requests_total{path="/healthz",status="200"} 2.0' in text
    assert labels() == before + 1


def test_a_fault_is_counted(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(Sandbox, "stream", broken)
    assert client.post("/v1/classify", files=_file()).status_code == 500
    text = client.get("/metrics").text
    assert 'ccmusic_requests_total{path="/v1/classify",status="500"} 1.0' in text
    assert 'ccmusic_request_seconds_count{path="/v1/classify"} 1.0' in text


def test_without_processes_it_is_not_the_fault_of_the_upload(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "_PROGRAM", "raise SystemExit(1)")
    _is_problem(client.post("/v1/classify", files=_file()), 503, "sandbox_start")


def test_the_document_has_examples_and_works_offline(client: TestClient) -> None:
    page = client.get("/docs").text
    assert "http" not in page.replace("https://fastapi", "")
    document = client.get("/openapi.json").json()
    form = document["components"]["schemas"]["Body_classify_v1_classify_post"]["properties"]
    assert form["models"]["examples"] == ["resnet50,vgg19_bn"]
    assert (
        "application/problem+json"
        in (document["paths"]["/v1/classify"]["post"]["responses"]["422"]["content"])
    )


@pytest.mark.parametrize(
    ("files", "data", "code"),
    [
        (_file(b"not music", "notes.mp3"), {}, "unknown_format"),
        (_file(b"", "empty.mp3"), {}, "empty"),
        (_file(), {"transform": "mel"}, "no_checkpoints"),
        (_file(), {"transform": "tuba"}, "invalid_request"),
        (_file(), {"models": "tuba"}, "unknown_model"),
        (_file(), {"top_k": "0"}, "invalid_request"),
        ({}, {"top_k": "3"}, "invalid_request"),
    ],
)
def test_bad_requests_are_problems(client: TestClient, files, data, code: str) -> None:
    _is_problem(client.post("/v1/classify", files=files, data=data), 422, code)


def test_unknown_routes_and_methods_are_problems(client: TestClient) -> None:
    _is_problem(client.get("/nowhere"), 404)
    _is_problem(client.get("/v1/classify"), 405)
    _is_problem(
        client.post("/v1/classify", content=b"x", headers={"content-type": "multipart/form-data"}),
        400,
    )


def test_an_error_speaks_chinese_to_whom_prefers_it(client: TestClient) -> None:
    headers = {"accept-language": "zh-CN,zh;q=0.9,en;q=0.8"}
    answer = client.post("/v1/classify", files=_file(b"not music"), headers=headers)
    assert "不是" in _is_problem(answer, 422, "unknown_format")["detail"] or "：" in answer.text
    events = client.post("/v1/classify/events", files=_file(b"not music"), headers=headers)
    ((kind, data),) = _events(events.text)
    assert (kind, data["code"]) == ("error", "unknown_format")


@pytest.mark.parametrize(
    ("accepted", "chinese"),
    [
        ("zh", True), ("zh-CN,zh;q=0.9,en;q=0.8", True), ("en,zh", False), ("zh,en", True),
        ("en;q=0.5, zh;q=0.8", True), ("zh;q=0.5,en-GB", False), ("zh;q=0", False),
        ("de,zh;q=0.3,en;q=0.2", True), ("ar-zh,zen", False), ("zh;q=x,en", False), ("", False),
        (",;q=1,zh", True),
    ],
)  # fmt: skip
def test_the_weights_of_languages_count(client: TestClient, accepted: str, chinese: bool) -> None:
    answer = client.post(
        "/v1/classify", files=_file(b"not music"), headers={"accept-language": accepted}
    )
    assert ("：" in answer.json()["detail"]) == chinese


def test_a_name_is_only_shown(client: TestClient) -> None:
    name = "../../etc/x\r\nSet-Cookie: a=b" + 300 * "y" + ".ogg"
    answer = client.post("/v1/classify", files=_file(name=name))
    assert answer.status_code == 200
    assert len(answer.json()["file"]) <= 200
    assert "\n" not in answer.json()["file"]


def test_an_unexpected_fault_shows_no_traceback(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(Sandbox, "stream", broken)
    assert "secret" not in _is_problem(client.post("/v1/classify", files=_file()), 500)["detail"]


def test_a_model_that_fails_leaves_the_others(client_with_damage: TestClient) -> None:
    content = client_with_damage.post("/v1/classify", files=_file()).json()
    errors = {name: model.get("error") for name, model in content["models"].items()}
    assert errors["jazz_cqt"] is None
    assert "sha256" in errors["rock_cqt"]
    assert content["agreement"]["top"] == "jazz"


@pytest.fixture
def client_with_damage(home: Path):
    (home / "rock_cqt.onnx").write_bytes(b"damaged")
    with opened() as client:
        yield client


def test_ready_names_the_models_that_failed(client_with_damage: TestClient) -> None:
    _until(lambda: "being loaded" not in client_with_damage.get("/readyz").text)
    problem = _is_problem(client_with_damage.get("/readyz"), 503, "models_failed")
    assert problem["detail"] == "could not be loaded: rock_cqt"


def test_no_answer_names_a_folder_of_the_server(
    client_with_damage: TestClient, home: Path, tmp_path: Path
) -> None:
    for route in ROUTES[:2]:
        text = client_with_damage.post(route, files=_file()).text
        assert "rock_cqt.onnx: does not match" in text
        assert str(tmp_path) not in text
    assert str(tmp_path) not in client_with_damage.get("/readyz").text
    path = home / "a.onnx"
    error = CheckpointError("bad_weights", file=path, reason=f"cannot load {path}")
    assert str(without_paths(error)) == "a.onnx: cannot be loaded as ONNX (cannot load a.onnx)"


@pytest.mark.parametrize("token", ["", " ", "\n"])
def test_an_empty_token_does_not_start(token: str) -> None:
    with pytest.raises(CCMusicError, match="the token is empty"):
        create_app(token=token)


@pytest.mark.parametrize("options", [["--token", ""], []])
def test_serve_refuses_an_empty_token(options: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ccmusic", "serve", "--port", "0", *options],
        env={**os.environ, "CCMUSIC_TOKEN": ""}, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert "the token is empty" in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_models_it_does_not_start(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path / "nothing"))
    with pytest.raises(CheckpointError):
        create_app()
    assert zoo.SHIPPED.name == "none"


def test_the_token_is_asked_for_where_music_is() -> None:
    with opened(token="sésame") as client:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic sésame"}):
            raw = [(k.encode(), v.encode()) for k, v in headers.items()]
            for answer in (
                client.post("/v1/classify", files=_file(), headers=raw),
                client.get("/v1/models", headers=raw),
                client.get("/metrics", headers=raw),
            ):
                _is_problem(answer, 401)
                assert answer.headers["www-authenticate"] == "Bearer"
        right = [(b"authorization", "bearer sésame".encode())]
        assert client.get("/v1/models", headers=right).status_code == 200
        assert client.get("/healthz").status_code == 200
        schemes = client.get("/openapi.json").json()["components"]["securitySchemes"]
        assert schemes["HTTPBearer"]["scheme"] == "bearer"


@pytest.mark.parametrize("route", ROUTES)
def test_too_many_bytes(route: str) -> None:
    with opened(megabytes=1) as client:
        large = 1_500_000 * b"x"
        _is_problem(client.post(route, files=_file(large)), 413)

        def without_length():
            yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
            for _ in range(1500):
                yield 1000 * b"x"

        kind = {"content-type": "multipart/form-data; boundary=b"}
        _is_problem(client.post(route, content=without_length(), headers=kind), 413)
        assert client.post("/v1/classify", files=_file()).status_code == 200


def test_too_many_minutes(bomb: Path) -> None:
    with opened(minutes=60) as client:
        problem = _is_problem(client.post("/v1/classify", files=_file(bomb)), 422, "too_long")
        assert "721 minutes" in problem["detail"]
    with opened(minutes=1000) as client:
        warnings = client.post("/v1/classify", files=_file(bomb)).json()["clip"]["warnings"]
        assert "silence" in [w["code"] for w in warnings]


# ---- what needs a real connection ------------------------------------------------------------


def _gate(server, name: str) -> float:
    text = httpx2.get(f"{server.url}/metrics", timeout=60).text
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith(name)))


def _until(condition, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_full_queue_sheds_and_recovers(serve) -> None:
    server = serve("--queue", "2")
    slow = [_held_open(server.url) for _ in range(2)]
    _until(lambda: _gate(server, "ccmusic_requests_inside") == 2)
    answer = httpx2.post(f"{server.url}/v1/classify", files=_file(), timeout=60)
    _is_problem(answer, 429)
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert httpx2.get(f"{server.url}/healthz", timeout=60).status_code == 200
    for connection in slow:
        connection.close()
    _until(lambda: _gate(server, "ccmusic_requests_inside") == 0)
    assert httpx2.post(f"{server.url}/v1/classify", files=_file(), timeout=60).status_code == 200


def _held_open(url: str):
    """An upload that never ends."""
    import socket

    host, _, port = url.removeprefix("http://").partition(":")
    connection = socket.create_connection((host, int(port)))
    connection.sendall(
        b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
    )
    return connection


def test_an_upload_that_never_ends_is_ended(serve) -> None:
    server = serve("--timeout", "1")
    with _held_open(server.url) as connection:
        connection.settimeout(10)
        answer = connection.recv(10_000)
    assert b"408 Request Timeout" in answer
    assert b"application/problem+json" in answer


def test_a_client_that_goes_takes_its_work_along(serve) -> None:
    server = serve()
    for route in ROUTES[:2]:
        for _ in range(3):
            with pytest.raises(httpx2.ReadTimeout):
                httpx2.post(
                    f"{server.url}{route}", files=_file(), timeout=httpx2.Timeout(10, read=0.001)
                )
    _until(lambda: _gate(server, "ccmusic_requests_inside") == 0)
    answer = httpx2.post(f"{server.url}/v1/classify", files=_file(), timeout=60)
    assert answer.status_code == 200


def test_what_was_taken_is_finished_before_the_end(serve) -> None:
    server = serve()
    with ThreadPoolExecutor(12) as clients:
        asked = [
            clients.submit(httpx2.post, f"{server.url}/v1/classify", files=_file(), timeout=60)
            for _ in range(12)
        ]
        # All have knocked: those that have their answer, and those that are inside.
        _until(
            lambda: (
                sum(ask.done() for ask in asked) + _gate(server, "ccmusic_requests_inside") == 12
            )
        )
        ending = threading.Thread(target=server.end)
        ending.start()
        answers = [future.result() for future in asked]
    ending.join()
    assert [answer.status_code for answer in answers] == [200] * 12
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{server.url}/healthz", timeout=60)


def test_the_token_comes_from_the_environment(serve) -> None:
    server = serve(environment={"CCMUSIC_TOKEN": "sesame"})
    assert httpx2.get(f"{server.url}/v1/models", timeout=60).status_code == 401
    right = {"authorization": "Bearer sesame"}
    assert httpx2.get(f"{server.url}/v1/models", headers=right, timeout=60).status_code == 200


def test_one_decoder_serves_many_requests(client: TestClient, monkeypatch) -> None:
    started: list[object] = []
    start = Sandbox._start
    monkeypatch.setattr(
        Sandbox, "_start", lambda self, child: (started.append(child), start(self, child))[1]
    )
    for route in (*ROUTES, "/v1/classify"):
        assert client.post(route, files=_file()).status_code == 200
        client.post(route, files=_file(b"not music"))
    assert len(started) == 1
