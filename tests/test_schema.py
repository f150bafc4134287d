"""One JSON for all: what it says, and that its schema says the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from ccmusic import batch, schema
from ccmusic.api import analyze
from ccmusic.batch import store
from ccmusic.batch.local import analyzed
from ccmusic.batch.rows import Options
from ccmusic.errors import DataError
from ccmusic.report import to_json
from ccmusic.schema import AnalysisDocument, ErrorDocument

ROOT = Path(__file__).parent.parent
SONG = ROOT / "examples" / "rain.ogg"


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json.loads((ROOT / "docs" / "analysis.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_every_front_writes_what_the_schema_says(
    home: Path, tmp_path: Path, validator: Draft202012Validator
) -> None:
    analysis = analyze(SONG)
    (_, (by_batch,)), (_, (failed,)) = analyzed(Options(), [str(SONG), "missing.mp3"], workers=1)
    mapped = analysis.document(attention=True, language="zh").to_dict()
    for document in (analysis.to_dict(), json.loads(to_json(analysis)), by_batch, failed, mapped):
        validator.validate(document)
    timeless = [
        {key: value for key, value in document.items() if key not in ("models", "elapsed_ms")}
        for document in (analysis.to_dict(), by_batch)
    ]
    assert timeless[0] == timeless[1]
    assert mapped["models"]["jazz_cqt"]["attention"]["genre"] == "jazz"
    assert mapped["models"]["jazz_cqt"]["attention"]["kind"] == "activation"
    assert mapped["message"] == analysis.message("zh")


def test_a_document_can_be_read_back(home: Path) -> None:
    document = analyze(SONG).document()
    text = json.dumps(document.to_dict())
    assert AnalysisDocument.model_validate_json(text) == document


def test_a_model_is_told_by_its_sha256(home: Path) -> None:
    analysis = analyze(SONG)
    (home / "rock_cqt.onnx").write_bytes(b"damaged")
    for found in (analysis, analyze(SONG)):
        models = found.to_dict()["models"]
        assert models.keys() == found.verdicts.keys()
        for name, model in models.items():
            assert model["sha256"] == found.verdicts[name].card.sha256
    assert "error" in models["rock_cqt"]


def test_an_error_is_a_document(validator: Draft202012Validator) -> None:
    validator.validate(ErrorDocument(file="a.mp3", error="a.mp3: no such file").to_dict())


def test_a_database_of_another_form_is_refused(home: Path, tmp_path: Path) -> None:
    output = tmp_path / "genres.csv"
    with store.opened(output, Options().fingerprint([]) | {"schema": 0}, {}) as kept:
        kept.compare([])
    with pytest.raises(DataError, match=r"was written with other .*schema"):
        batch.run([str(SONG)], output, Options())


def test_what_is_written_reads_back(home: Path) -> None:
    analysis = analyze(SONG)
    document = analysis.document(attention=True)
    assert schema.read(json.dumps(document.to_dict())) == document
    assert schema.read(to_json(analysis)) == analysis.document()
    error = ErrorDocument(file="a.mp3", error="a.mp3: no such file")
    assert schema.read(json.dumps(error.to_dict())) == error
    for text in ("", "[]", "{}", '{"schema": "ccmusic.analysis", "version": 2, "file": "a"}'):
        with pytest.raises(DataError, match="not the JSON of an analysis"):
            schema.read(text)
