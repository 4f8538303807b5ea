"""Every option stands once: the table, the Python functions and the command line agree."""

from __future__ import annotations

import inspect
import types
from dataclasses import MISSING, FrozenInstanceError, fields
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

import pytest
import typer

import i2ibench
from i2ibench.cli import options as cli_options
from i2ibench.cli.app import VERBS, app, run_app
from i2ibench.cli.evaluate import evaluate
from i2ibench.cli.import_predictions import import_predictions
from i2ibench.cli.options import parse_settings
from i2ibench.cli.run import run
from i2ibench.cli.train import train
from i2ibench.cli.translate import translate
from i2ibench.runs import python_interface
from i2ibench.runs.evaluation_options import EvaluationOptions
from i2ibench.runs.import_options import ImportOptions
from i2ibench.runs.options import Options

VERB_TABLES = [
    (run, python_interface.run, Options),
    (train, python_interface.train, Options),
    (translate, python_interface.translate, Options),
    (evaluate, python_interface.evaluate, EvaluationOptions),
    (import_predictions, python_interface.import_predictions, ImportOptions),
]
# What a function takes beside the options of its table, and a verb beside those of its function.
NOT_OPTIONS = {"reporter", "progress", "predictions"}
OF_THE_COMMAND_LINE = {"shard", "json", "repeats", "predictions", "on", "address", "threads"}
OF_THE_COMMAND_LINE |= {"shards"}  # of translate; evaluate has it as an option


def members(hint):
    """The types that a union, or one type, is made of."""
    return set(get_args(hint)) if isinstance(hint, types.UnionType) else {hint}


def default_of(field):
    return field.default if field.default_factory is MISSING else None


@pytest.mark.parametrize(("verb", "function", "table"), VERB_TABLES)
def test_function_table_and_verb_have_the_same_options(verb, function, table):
    known = {field.name: field for field in fields(table)}
    of_function = inspect.signature(function).parameters
    of_verb = inspect.signature(verb).parameters
    taken = [name for name in of_function if name not in NOT_OPTIONS]
    assert set(taken) <= set(known)
    beside = OF_THE_COMMAND_LINE - {*taken}
    assert [name for name in of_verb if name not in beside] == taken
    late = dict.fromkeys(("Outcome", "Reporter", "Result", "RunFolder"), object)  # imported late
    declared, at_function = get_type_hints(table), get_type_hints(function, localns=late)
    for name in taken:
        field, shown = known[name], known[name].metadata["option"]
        default = default_of(field)
        expected = members(declared[name])
        if Path in expected or name == "dataset":  # a path, or its text
            expected |= {str, Path}
        if name == "settings":
            expected |= {type(None)}
        assert members(at_function[name]) == expected, name
        required = default is MISSING
        assert (of_function[name].default is inspect.Parameter.empty) == required
        assert (of_verb[name].default is inspect.Parameter.empty) == required
        if not required:
            assert of_function[name].default == default, name
            on_the_line = of_verb[name].default
            assert on_the_line == ([default] if get_origin(shown.typed) is list else default), name
        assert shown.help in function.__doc__
        annotation, _ = get_args(of_verb[name].annotation)
        assert annotation == (shown.typed or declared[name]), name


def test_run_takes_every_option_of_its_table():
    assert {field.name for field in fields(Options)} <= set(inspect.signature(run).parameters)
    taken = set(inspect.signature(evaluate).parameters)
    assert {field.name for field in fields(EvaluationOptions)} <= taken


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("DataRoot", "data_root"),
        ("Device", "device"),
        ("Direction", "direction"),
        ("Limit", "limit"),
        ("UnverifiedWeights", "allow_unverified_weights"),
    ],
)
def test_shared_options_have_the_types_of_the_table(alias, name):
    declared, option = get_args(getattr(cli_options, alias))
    assert declared == get_type_hints(Options)[name]
    field = next(each for each in fields(Options) if each.name == name)
    assert option.help == field.metadata["option"].help


def commands():
    """Every command with the words that call it."""
    root = typer.main.get_command(app)
    found = [([], root)]
    for verb in VERBS:
        command = root.get_command(None, verb)
        found.append(([verb], command))
        found += [([verb, name], each) for name, each in getattr(command, "commands", {}).items()]
    return found


COMMANDS = commands()
IDS = [" ".join(words) or "i2ibench" for words, _ in COMMANDS]


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=IDS)
def test_help_shows_every_option_whole_in_80_columns(capsys, monkeypatch, words, command):
    monkeypatch.setenv("COLUMNS", "80")
    assert run_app([*words, "--help"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert max(map(len, out.splitlines())) <= 80
    shown = set(out.replace(",", " ").split())
    for parameter in command.params:
        assert parameter.help, f"{words} {parameter.name} has no help"
        if parameter.param_type_name == "option":
            assert {*parameter.opts, *parameter.secondary_opts} <= shown


def one_value_options():
    for words, command in COMMANDS:
        for parameter in command.params:
            switch = getattr(parameter, "is_flag", False) and not parameter.secondary_opts
            if parameter.param_type_name == "option" and not parameter.multiple and not switch:
                yield words, parameter


@pytest.mark.parametrize(
    ("words", "parameter"),
    list(one_value_options()),
    ids=lambda value: " ".join(value) if isinstance(value, list) else value.name,
)
def test_an_option_given_twice_is_refused(capsys, words, parameter):
    both = [parameter.opts[0], parameter.secondary_opts[0]] if parameter.is_flag else None
    twice = both or [f"{parameter.opts[0]}=1", f"{parameter.opts[-1]}=2"]
    if both is None and not parameter.opts[-1].startswith("--"):
        twice = [f"{parameter.opts[0]}=1", parameter.opts[-1], "2"]
    assert run_app([*words, *twice]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "is given 2 times" in err and "--" in err
    assert err.count("error:") == 1 and len(err.splitlines()) == 1


def test_what_may_be_repeated_is_not_refused(capsys):
    line = ["run", "--model", "copy", "--dataset", "./nowhere", "--set", "a=1", "--set", "b=2"]
    assert run_app([*line, "--json", "--json"]) == 2
    assert "times" not in capsys.readouterr().err


def test_paths_are_accepted_as_strings_and_options_stay_frozen(tmp_path):
    options = Options(model="copy", dataset=tmp_path, output="there", recipe="r.toml", board="b")
    assert (options.output, options.recipe) == (Path("there"), Path("r.toml"))
    assert (options.dataset, options.board_folder) == (str(tmp_path), Path("b"))
    with pytest.raises(FrozenInstanceError):
        options.output = Path("elsewhere")
    scored = EvaluationOptions(targets="t", output="o", metrics="psnr, ssim")
    assert (scored.targets, scored.output) == (Path("t"), Path("o"))
    assert scored.metrics == ("psnr", "ssim") == EvaluationOptions(metrics=["psnr", "ssim"]).metrics


def test_a_recipe_key_of_its_own_gives_way_to_set():
    asked = {"training.keep_best": "psnr", "training.epochs": 2}
    options = Options("copy", "synthetic", settings=asked, keep_best="ssim")
    assert options.recipe_settings == asked
    assert Options("copy", "x", validation_fraction=0.0).recipe_settings == {
        "training.validation_fraction": 0.0
    }
    assert parse_settings(["a=" + "[" * 5000, "b=" + "9" * 5000]) == {
        "a": "[" * 5000,
        "b": "9" * 5000,
    }
    assert parse_settings(["a.b=1", "a.c = word"]) == {"a.b": 1, "a.c": " word"}


def test_the_functions_take_keywords_or_one_options(drawn, tmp_path):
    drawn.draw("test", 2)
    places = {"output": str(tmp_path / "runs"), "board": None}
    by_keyword = i2ibench.run(model="copy", dataset=drawn.root, device="cpu", **places)
    options = Options(model="copy", dataset=str(drawn.root), device="cpu", **places)
    assert i2ibench.run(options).folder == by_keyword.folder
    assert i2ibench.translate(options=options).path == by_keyword.folder
    predictions = by_keyword.folder / "predictions"
    scored = i2ibench.evaluate(str(predictions), dataset=drawn.root, metrics="psnr")
    assert scored.metrics["psnr"].value == by_keyword.result.metrics["psnr"].value
    for wrong in (lambda: i2ibench.run("copy"), lambda: i2ibench.run(options, seed=3)):
        with pytest.raises(TypeError):
            wrong()


def test_the_public_names_are_whole_and_each_can_be_had():
    listed = {name: getattr(i2ibench, name) for name in i2ibench.__all__}
    assert all(each is not None for each in listed.values())
    assert {"run", "evaluate", "build_metric", "compare", "verify", "read_board"} <= set(listed)
    assert set(i2ibench.__all__) == set(dir(i2ibench))
    assert list(inspect.signature(i2ibench.run).parameters)[:2] == ["model", "dataset"]
    # What editors and mypy read says the same as what is imported.
    source = Path(i2ibench.__file__).read_text()
    for name in set(listed) - {"__version__", "metrics"}:
        assert f"import {name} as {name}\n" in source
        assert f'"{name}": "{listed[name].__module__}"' in source or name == "Reporter"
