"""`i2ibench study export|import`: a blinded reader study, and what its readers say."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from i2ibench.cli.options import DataRoot, Json, RecordedDataset
from i2ibench.cli.terminal import answer, print_json, say, table
from i2ibench.cli.verb import Verb, verb_group
from i2ibench.runs.option_fields import HOW, WHERE

app = verb_group("Let people judge images without knowing what made them.")


@app.command("export", cls=Verb)
def export(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run folders, one a method.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Folder of the page for readers; FOLDER.key.json beside it is not for them.",
            rich_help_panel=WHERE,
        ),
    ],
    images: Annotated[
        int,
        typer.Option(
            "--images",
            min=0,
            metavar="N",
            help="Images rated a level and maker; the real images are one maker.",
            rich_help_panel=HOW,
        ),
    ] = 5,
    comparisons: Annotated[
        int,
        typer.Option(
            "--comparisons",
            min=0,
            metavar="N",
            help="Comparisons a level and two makers.",
            rich_help_panel=HOW,
        ),
    ] = 3,
    repeats: Annotated[
        float,
        typer.Option(
            "--repeats",
            metavar="SHARE",
            help="Share that each reader sees twice, from 0 to 0.33.",
            rich_help_panel=HOW,
        ),
    ] = 0.1,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Of every choice.", rich_help_panel=HOW)
    ] = 0,
    dataset: RecordedDataset = None,
    data_root: DataRoot = None,
    json: Json = False,
) -> None:
    """Write a page that shows images of methods, and real ones, without saying which is which.

    Readers open its index.html from the disk, offline: they read the level, say real or generated,
    and choose between two; each saves one file of answers. FOLDER.key.json says what is what.

    i2ibench study export runs/bci/pyramid/* runs/bci/varpyramid/* -o study
    """
    from i2ibench.cli.progress import RichReporter
    from i2ibench.studies.export import export_study

    with closing(RichReporter()) as reporter:
        reporter.stage("writing images")
        made = export_study(
            runs,
            output,
            dataset=dataset,
            data_root=data_root,
            images=images,
            comparisons=comparisons,
            repeats=repeats,
            seed=seed,
            progress=reporter.progress,
        )
    for note in made.notes:
        say(note, lead="[yellow]note:[/] ")
    if json:
        print_json(
            {
                "page": str(made.page),
                "key": str(made.key),
                "study": made.study,
                "ratings": made.ratings,
                "comparisons": made.preferences,
                "images": made.images,
                "bytes": made.size,
                "notes": list(made.notes),
            }
        )
    for line in repr(made).splitlines():
        answer(line, beside_json=json)
    say("readers get the folder of the page; keep the key to yourself")


@app.command("import", cls=Verb)
def import_(
    key: Annotated[Path, typer.Argument(metavar="KEY", help="The study's .key.json.")],
    answers: Annotated[
        list[Path], typer.Argument(metavar="ANSWERS...", help="Files that readers saved.")
    ],
    markdown: Annotated[
        Path | None,
        typer.Option(
            "--markdown",
            metavar="FILE",
            help="Also write the tables as markdown.",
            rich_help_panel=WHERE,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Say what readers see: agreement, levels, real or generated, preferences, metrics.

    i2ibench study import study.key.json answers/*.json --markdown readers.md
    """
    from i2ibench.files import write_text
    from i2ibench.studies.report import import_study

    report = import_study(
        key, answers, on_fault=lambda fault: say(str(fault), lead="[bold red]error:[/] ")
    )
    if json:
        print_json(report.to_json())
    else:
        for title, header, rows in report.tables():
            answer(table(title, [*header], [[*row] for row in rows]))
        for note in report.notes:
            answer(note)
    if markdown is not None:
        write_text(markdown, report.to_markdown())
        say(f"written to {markdown}")
