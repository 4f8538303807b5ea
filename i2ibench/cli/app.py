"""The table of verbs and what all of them share: loading on demand, errors, warnings."""

from __future__ import annotations

import importlib
import sys
import traceback
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from i2ibench.cli.environment import check_environment
from i2ibench.cli.similar_characters import replace_what_streams_cannot_show
from i2ibench.cli.terminal import say
from i2ibench.cli.verb import Verb, VerbGroup, first_paragraph

# verb -> "module:function" for a command, "module:app" for a verb with verbs of its own.
# A verb's module is imported when that verb is called, or for its line in the help.
VERBS = {
    "run": "i2ibench.cli.run:run",
    "train": "i2ibench.cli.train:train",
    "translate": "i2ibench.cli.translate:translate",
    "evaluate": "i2ibench.cli.evaluate:evaluate",
    "import": "i2ibench.cli.import_predictions:import_predictions",
    "campaign": "i2ibench.cli.campaign:app",
    "report": "i2ibench.cli.report:report",
    "compare": "i2ibench.cli.compare:compare",
    "study": "i2ibench.cli.study:app",
    "verify": "i2ibench.cli.verify:verify",
    "leaderboard": "i2ibench.cli.leaderboard:app",
    "models": "i2ibench.cli.models:models",
    "datasets": "i2ibench.cli.datasets:datasets",
    "metrics": "i2ibench.cli.metrics:metrics",
    "protocols": "i2ibench.cli.protocols:protocols",
    "export": "i2ibench.cli.export:app",
    "weights": "i2ibench.cli.weights:app",
    "audit": "i2ibench.cli.audit:audit",
    "doctor": "i2ibench.cli.doctor:doctor",
    "new": "i2ibench.cli.new:new",
}


_LEAD = "[bold red]error:[/] "
_INTERRUPTED = "interrupted; the same command continues"
_INTERRUPTED_CODE = 130


class _LazyVerbs(VerbGroup):
    """Loads the module of a verb when the verb is needed."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def find(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in VERBS:
            return None
        found = _load(cmd_name)
        if isinstance(found, typer.Typer):
            command: Any = typer.main.get_command(found)
        else:
            holder = typer.Typer(add_completion=False, rich_markup_mode=None)
            holder.command(cmd_name, cls=Verb)(found)
            command = typer.main.get_command(holder)
        command.name = cmd_name
        return command

    def summary(self, ctx: Any, name: str) -> str:
        # Without building the verb's options, which would take longer than all the rest.
        found = _load(name)
        return first_paragraph(found.info.help if isinstance(found, typer.Typer) else found.__doc__)


def _load(verb: str) -> Any:
    module, _, attribute = VERBS[verb].partition(":")
    return getattr(importlib.import_module(module), attribute)


app = typer.Typer(
    cls=_LazyVerbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        from i2ibench import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version and exit."
        ),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback with an error.")] = False,
) -> None:
    """Benchmark paired image-to-image translation, above all virtual staining.

    Train and score a model in one go:

        i2ibench run --model varpyramid --dataset synthetic

    Score the images that any other tool made:

        i2ibench evaluate my_predictions --dataset my_dataset
    """


# The warnings that this command has shown.
_told: set[str] = set()


def run_app(arguments: list[str]) -> int:
    """Run the command line on ``arguments`` and return the exit code."""
    # --debug is also understood after the verb, where people add it to a line that failed.
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    _told.clear()
    warnings.showwarning = _show_warning
    replace_what_streams_cannot_show()
    try:
        check_environment()
        code = app(args=arguments, prog_name="i2ibench", standalone_mode=False)
    except SystemExit as done:
        code = done.code
    except KeyboardInterrupt:
        code = _INTERRUPTED_CODE
    except Exception as error:
        if hasattr(error, "format_message"):  # of typer's parser, whose classes have moved
            return _refuse(error)
        from i2ibench.explain import explain

        explained = explain(error)
        if explained is None:
            raise
        return _fail(*explained, debug)
    # typer turns Ctrl-C into this exit code without a word.
    if code == _INTERRUPTED_CODE:
        return _fail(_INTERRUPTED, code, debug)
    return code if isinstance(code, int) else 0


def _refuse(error: Any) -> int:
    """Tell wrong usage in one line; a group of verbs without a verb prints its help."""
    message, exit_code = error.format_message(), int(error.exit_code)
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(message, err=True)
    elif context is None:
        say(message, lead=_LEAD)
    else:
        say(f"{message.rstrip('.')}; see: {context.command_path} --help", lead=_LEAD)
    return exit_code


def _fail(message: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    say(message, lead=_LEAD)
    return code


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, *_: Any, **__: Any
) -> None:
    # Warnings of the libraries below us are for developers; ours are UserWarnings. Pillow's name no
    # file, and speak of tags of a TIFF that decide nothing.
    if issubclass(category, DeprecationWarning | FutureWarning) or _is_of_pillow(filename):
        return
    # Whoever ignores warnings for a while lets Python forget which it has shown.
    if str(message) not in _told:
        _told.add(str(message))
        say(str(message), lead="[yellow]warning:[/] ")


def _is_of_pillow(filename: str) -> bool:
    return Path(filename).parent.name == "PIL"


if __name__ == "__main__":
    sys.exit(run_app(sys.argv[1:]))
