"""The verbs of `postcopy-lab`. Only what the help page needs is imported here: the rest when a verb runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from postcopy_lab.errors import CommandError, ExitCode, InputError, one_line, system_error
from postcopy_lab.project import DEFAULT_INVENTORY

HELP = """\
Provision a lab, measure live migrations of virtual machines in it, and report what was reproduced.

Plain Ansible does the same: ansible-playbook playbooks/study.yml -e study=quick. This command adds checks \
before anything starts, progress, and the time left."""

EXAMPLES = (
    ("postcopy-lab provision", "make the lab on this machine"),
    ("postcopy-lab study quick", "run the quick study, or continue it"),
    ("postcopy-lab study icclab-2014 --only 'hybrid-xl-*'", "a part of the article's study"),
    ("postcopy-lab report quick", "write report.html and print its summary"),
    ("postcopy-lab report quick --format md", "the same as an appendix for a paper"),
    ("postcopy-lab export quick shared/quick", "copy its results, packed, to share them"),
    ("postcopy-lab compare results/quick/old results/quick/new", "exit code 1 if the second is slower"),
    ("postcopy-lab compare --claims results/quick/*", "the article's claims, as each lab judges them"),
    ("postcopy-lab predict --ram 16G --stressed 8G --rate 1G", "how long would that guest take?"),
    ("postcopy-lab support-bundle", "what one needs to understand a failure, without secrets"),
    ("postcopy-lab status", "nodes, link, and how far each study is"),
    ("postcopy-lab provision -i x3550", "the same on real machines"),
)
EXIT_CODES = (
    ("0", "success"),
    ("1", "failure; compare: a ratio lies beyond the threshold"),
    ("2", "bad input; nothing was changed"),
    ("3", "the study is complete, but some of its runs failed or are invalid"),
    ("130", "interrupted; the same command continues"),
)
ENVIRONMENT = (
    ("POSTCOPY_LAB_INVENTORY", "used when there is no --inventory"),
    ("POSTCOPY_LAB_PLAIN_STRATEGY=1", "the same as --plain-strategy"),
    ("POSTCOPY_LAB_LOCKS", "folder of the labs' locks, one for all users of the machine (/run/lock)"),
    ("NO_COLOR, COLUMNS", "colours off, width of the output"),
)


class LabGroup(TyperGroup):
    """Says every error in one line on stderr, and ends with the documented exit code."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        super().format_help(ctx, formatter)
        _print_panels({"Examples": EXAMPLES, "Exit codes": EXIT_CODES, "Environment": ENVIRONMENT})

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> Any:  # type: ignore[override]
        standalone_mode = extra.pop("standalone_mode", True)
        code: int = ExitCode.OK
        try:
            result = super().main(args, standalone_mode=False, **extra)
            if not standalone_mode:
                return result
            code = result if isinstance(result, int) else ExitCode.OK
        except CommandError as error:
            code = say_error(str(error), error.exit_code)
        except typer.TyperException as error:
            # The message is empty when the help page was printed for want of a verb.
            message = error.format_message()
            code = say_error(f"{message} See --help.", ExitCode.BAD_INPUT) if message else ExitCode.BAD_INPUT
        except OSError as error:
            failure = system_error(error)
            code = say_error(str(failure), failure.exit_code)
        except typer.Abort:
            code = say_error("not confirmed, nothing was changed", ExitCode.BAD_INPUT)
        sys.exit(code)


def _print_panels(panels: dict[str, tuple[tuple[str, str], ...]]) -> None:
    """Print more of the help page, in the look of typer's own panels."""
    from rich.panel import Panel
    from rich.table import Table

    from postcopy_lab.board import make_console

    console = make_console(plain_width=80)
    for title, rows in panels.items():
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold cyan", no_wrap=True)
        table.add_column()
        for row in rows:
            table.add_row(*row)
        console.print(Panel(table, title=title, title_align="left", border_style="dim"))


def say_error(message: str, code: ExitCode) -> ExitCode:
    """Print one line on stderr and hand the code back."""
    from postcopy_lab.board import make_console

    kind = "interrupted" if code == ExitCode.INTERRUPTED else "error"
    console = make_console(stderr=True)
    console.print(f"{kind}:", style="bold yellow" if code == ExitCode.INTERRUPTED else "bold red", end=" ")
    console.print(one_line(message, 2000), soft_wrap=True)
    return code


app = typer.Typer(
    cls=LabGroup,
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

InventoryOption = Annotated[
    str,
    typer.Option(
        "--inventory",
        "-i",
        envvar="POSTCOPY_LAB_INVENTORY",
        help="Inventory folder or file, or the name of one in inventories/.",
        show_envvar=False,
    ),
]
BackendOption = Annotated[
    str | None,
    typer.Option(
        "--backend",
        help="What migrates the guests: libvirt, or nova in a lab with a cloud (default: the inventory's).",
    ),
]
ReleaseOption = Annotated[
    str | None,
    typer.Option("--release", help="What runs on the nodes: a name in releases/ (default: the inventory's)."),
]
StrategyOption = Annotated[
    bool,
    typer.Option(
        "--plain-strategy",
        envvar="POSTCOPY_LAB_PLAIN_STRATEGY",
        help="Ansible's own strategy instead of Mitogen's: several times slower.",
        show_envvar=False,
    ),
]


class CompareFormat(StrEnum):
    """What `compare` prints."""

    TABLE = "table"
    JSON = "json"
    MD = "md"


class PredictFormat(StrEnum):
    """What `predict` prints."""

    TABLE = "table"
    JSON = "json"


class ReportFormat(StrEnum):
    """What `report` can write."""

    HTML = "html"
    MD = "md"


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"postcopy-lab {version('postcopy-lab')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def provision(
    inventory: InventoryOption = DEFAULT_INVENTORY,
    backend: BackendOption = None,
    release: ReleaseOption = None,
    plain_strategy: StrategyOption = False,
    renew_tls: Annotated[
        bool,
        typer.Option(
            "--renew-tls",
            help="Make the certificates of libvirt and of the migration stream anew, for all nodes.",
        ),
    ] = False,
) -> None:
    """Make the lab ready: nodes, networks, QEMU, libvirt, guest image, cloud. Does only what is missing."""
    from postcopy_lab.verbs import provision as verb

    verb.provision(
        inventory, release=release, plain_strategy=plain_strategy, backend=backend, renew_tls=renew_tls
    )


@app.command()
def study(
    name: Annotated[
        str, typer.Argument(metavar="STUDY", help="A name in studies/, or the path of a study file.")
    ],
    inventory: InventoryOption = DEFAULT_INVENTORY,
    backend: BackendOption = None,
    repetitions: Annotated[
        int | None, typer.Option(min=1, max=999, help="Runs of each case (default: the study's).")
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(metavar="EXPR", help="Cases to run: ids or patterns with * and ?, separated by commas."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume/--no-resume",
            help="Run what is missing (default), or refuse a study that has runs already. "
            "A finished run is never repeated or overwritten.",
        ),
    ] = True,
    provision: Annotated[
        bool,
        typer.Option(
            "--provision/--no-provision",
            help="Provision the lab first if it does not answer or differs from its files (default: refuse).",
        ),
    ] = False,
    release: ReleaseOption = None,
    plain_strategy: StrategyOption = False,
) -> None:
    """Run a study, or continue it: migrate real guests and keep the evidence."""
    from postcopy_lab.verbs import study as verb

    raise typer.Exit(
        verb.study(
            inventory,
            name,
            backend=backend,
            repetitions=repetitions,
            only=only,
            resume=resume,
            provision=provision,
            release=release,
            plain_strategy=plain_strategy,
        )
    )


@app.command()
def report(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[STUDY|RESULTS]",
            help="A study's name, or a results directory (default: the newest results).",
        ),
    ] = None,
    form: Annotated[
        ReportFormat,
        typer.Option(
            "--format",
            help="html: the page, with CSV and pictures beside it; md: an appendix for a paper in Markdown.",
        ),
    ] = ReportFormat.HTML,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where to write (default: report/ in the results directory)."),
    ] = None,
    inventory: InventoryOption = DEFAULT_INVENTORY,
    backend: BackendOption = None,
) -> None:
    """Write report.html from the evidence of a study, and print its summary."""
    from postcopy_lab.verbs import report as verb

    verb.report(inventory, target, backend=backend, form=form.value, output=output)


@app.command()
def export(
    results: Annotated[
        str, typer.Argument(metavar="STUDY|RESULTS", help="A study's name, or a results directory.")
    ],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="A directory that does not exist yet.")],
    inventory: InventoryOption = DEFAULT_INVENTORY,
    backend: BackendOption = None,
) -> None:
    """Copy results to share them: complete, packed, with checksums checked. `report` reads the copy."""
    from postcopy_lab.verbs import export as verb

    verb.export(inventory, results, target, backend=backend)


@app.command()
def compare(
    context: typer.Context,
    results: Annotated[
        list[str],
        typer.Argument(
            metavar="A B [C ...]",
            help="Results directories or studies. Of two the second is held against the first, case by case; "
            "of more the verdict of each on the article's claims is shown.",
        ),
    ],
    claims: Annotated[
        bool,
        typer.Option("--claims", help="Show the verdicts on the article's claims of two as well, or of one."),
    ] = False,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Metric to compare; repeat for more: migration_seconds and forward_bytes (default), "
            "downtime_seconds, ping_outage_seconds, ...",
        ),
    ] = None,
    threshold: Annotated[
        float,
        typer.Option(
            metavar="RATIO", help="Exit code 1 where a ratio's whole interval lies beyond it (1 or more)."
        ),
    ] = 1.10,
    match: Annotated[
        str,
        typer.Option(
            metavar="SETTINGS",
            help="Compare cases that agree in these settings, separated by commas: case, mode, flavor, "
            "stressor, stressed, threads, rate, downtime, backend, table, network, probes.",
        ),
    ] = "case",
    form: Annotated[
        CompareFormat, typer.Option("--format", help="A table to read, or json or md to keep.")
    ] = CompareFormat.TABLE,
    inventory: InventoryOption = DEFAULT_INVENTORY,
    backend: BackendOption = None,
) -> None:
    """Compare labs, releases or settings: two case by case, more by the article's claims."""
    if claims or len(results) > 2:
        _refuse_options_of_cases(context)
        from postcopy_lab.verbs import compare_claims

        compare_claims.compare_claims(inventory, results, backend=backend, form=form.value)
        return
    if len(results) < 2:
        raise InputError(f"{results[0]}: one results directory is nothing to compare; give another one")
    from postcopy_lab.verbs import compare as verb

    raise typer.Exit(
        verb.compare(
            inventory,
            *results,
            backend=backend,
            metrics=metric or (),
            threshold=threshold,
            match=match,
            form=form.value,
        )
    )


def _refuse_options_of_cases(context: typer.Context) -> None:
    sources = {name: context.get_parameter_source(name) for name in ("metric", "threshold", "match")}
    given = [f"--{name}" for name, source in sources.items() if source and source.name == "COMMANDLINE"]
    if given:
        raise InputError(
            f"{' and '.join(given)} {'are' if len(given) > 1 else 'is'} of cases; here the verdicts on the "
            "article's claims are compared (allowed: with two results directories, without --claims)"
        )


@app.command()
def predict(
    ram: Annotated[
        str | None, typer.Option(metavar="SIZE", help="The guest's RAM: 16G is 16 GiB (2^30 bytes).")
    ] = None,
    stressed: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Memory that the guest keeps writing: 8G is 8 GiB; 0M if idle."),
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option(metavar="RATE", help="The link's nominal rate: 1G is 10^9 bit/s, 100M is 10^8."),
    ] = None,
    sources: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="STUDY|RESULTS",
            help="Measured runs to fit the model to; may be given more than once "
            "(default: the lab's newest results, or without any those shipped of its release).",
        ),
    ] = None,
    release: Annotated[
        str | None,
        typer.Option(metavar="RELEASE", help="Fit the model to all runs of this release in examples/."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="STUDY|RESULTS",
            help="Say instead how far predictions are off these runs, which the model has not seen.",
        ),
    ] = None,
    mode: Annotated[
        str | None, typer.Option(help="precopy, hybrid or postcopy (default: each that was measured).")
    ] = None,
    form: Annotated[
        PredictFormat, typer.Option("--format", help="A table to read, or json.")
    ] = PredictFormat.TABLE,
    inventory: InventoryOption = DEFAULT_INVENTORY,
    backend: BackendOption = None,
) -> None:
    """Predict time and data of a migration from measured runs, with the model's error and the upper bound."""
    from postcopy_lab.verbs import predict as verb

    ground = verb.Ground(inventory, sources or [], release, backend, mode)
    if against is None:
        verb.predict(ground, ram=ram, stressed=stressed, rate=rate, form=form.value)
    elif ram or stressed or rate:
        raise InputError("--against takes each run's own memory and rate: no --ram, --stressed, --rate")
    else:
        verb.hold_against(ground, against, form=form.value)


@app.command()
def status(inventory: InventoryOption = DEFAULT_INVENTORY, backend: BackendOption = None) -> None:
    """Show the lab's nodes, the measured link, and the progress of each study."""
    from postcopy_lab.verbs import status as verb

    verb.status(inventory, backend=backend)


@app.command()
def check(
    inventory: InventoryOption = DEFAULT_INVENTORY,
    backend: BackendOption = None,
    release: ReleaseOption = None,
    plain_strategy: StrategyOption = False,
) -> None:
    """Check the lab with one small real migration. Nothing is left behind."""
    from postcopy_lab.verbs import check as verb

    verb.check(inventory, release=release, plain_strategy=plain_strategy, backend=backend)


@app.command("support-bundle")
def support_bundle(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN|STUDY]",
            help="A run's directory, or a study (default: the newest results): the last of its runs that "
            "failed.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to write (default: support-LAB-TIME.tar.gz, here)."),
    ] = None,
    inventory: InventoryOption = DEFAULT_INVENTORY,
    backend: BackendOption = None,
) -> None:
    """Pack what one needs to understand a failed run or provisioning: under 5 MB, without secrets."""
    from postcopy_lab.verbs import support_bundle as verb

    verb.support_bundle(inventory, target, backend=backend, output=output)


@app.command()
def destroy(
    inventory: InventoryOption = DEFAULT_INVENTORY,
    backend: BackendOption = None,
    images: Annotated[bool, typer.Option("--images", help="Remove the nodes' image too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    plain_strategy: StrategyOption = False,
) -> None:
    """Remove the lab: containers, networks, keys, logs. Results are never removed."""
    from postcopy_lab.verbs import destroy as verb

    verb.destroy(inventory, images=images, yes=yes, plain_strategy=plain_strategy, backend=backend)


def main() -> None:
    """Entry point of the console script."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal or a file name that is not UTF-8 costs a letter, not the output.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    app()
