"""Options of training and importing: one model, which the command line shows and obeys."""

from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from ccmusic.cli import app
from ccmusic.errors import ParameterError
from ccmusic.options import ExportOptions, ImportOptions, TrainOptions


@pytest.mark.parametrize(
    ("command", "model"),
    [("train", TrainOptions), ("export", ExportOptions), ("import", ImportOptions)],
)
def test_a_command_has_every_option_with_its_default_and_help(command: str, model) -> None:
    group: Any = typer.main.get_command(app)
    params = {p.name: p for p in group.commands[command].params}
    for name, field in model.model_fields.items():
        param = params[name]
        assert param.opts == [f"--{name.replace('_', '-')}"]
        assert param.required == field.is_required()
        assert field.is_required() or param.default == field.default
        assert param.help == " ".join(field.description.split()), name


def test_the_command_line_knows_the_limits() -> None:
    arguments = ["train", "--data", "x.csv", "-o", "out", "--backbone", "resnet50"]
    for option, value in (("--width-divisor", "0"), ("--teacher-share", "2"), ("--epochs", "-1")):
        run = CliRunner().invoke(app, [*arguments, option, value])
        assert (run.exit_code, option in run.output) == (2, True)


def test_what_is_no_value_is_refused_in_one_line() -> None:
    for given, said in (
        ({"teacher_share": 1.5}, "teacher_share cannot be 1.5; it must be .*<= 1"),
        ({"width_divisor": 0}, "width_divisor cannot be 0; it must be .*>= 1"),
        ({"transform": "wavelet"}, "transform cannot be 'wavelet'; it must be 'cqt' "),
        ({"depth": 3}, "TrainOptions has no parameter depth; it has .*epochs"),
        ({"backbone": None}, "backbone cannot be None"),
    ):
        with pytest.raises(ParameterError, match=said) as caught:
            TrainOptions(**{"backbone": "resnet50", **given})
        assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(ParameterError, match=r"TrainOptions needs backbone: str$"):
        TrainOptions()  # type: ignore[call-arg]


def test_options_keep_what_they_are_given() -> None:
    options = ImportOptions(mean="imagenet", std=(0.1, 0.2, 0.3), classes="a,b")
    assert (options.mean, options.std, options.activation) == ("imagenet", (0.1, 0.2, 0.3), "relu")
    assert TrainOptions(backbone="x", init_from="a.pt").init_from == Path("a.pt")
