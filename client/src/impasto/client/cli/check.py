"""`impasto check`: an acceptance test of a server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from impasto.client.checking import Finding, Options, Outcome, Report, Wanted, counts
from impasto.client.checking import check as run_checks
from impasto.client.cli import exit_codes
from impasto.client.cli.options import Common, common_options
from impasto.client.cli.output import note, print_json, print_line, print_table
from impasto.client.cli.served import replicas
from impasto.client.repository.golden import GoldenError, GoldenRecord

_TO_MEND: Final = (Outcome.FAIL, Outcome.WARN)


@click.command(short_help="Check a server and its models: an acceptance test.")
@click.argument("models", metavar="[MODEL]...", nargs=-1)
@click.option(
    "--models",
    "repository",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="The models' repository: golden records and manifests are read there.",
)
@click.option(
    "--golden",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    metavar="FILE",
    help="A golden record (.npz) of the one MODEL. Repeat it for more.",
)
@click.option("--exact", is_flag=True, help="Golden records must be met bit for bit, as by the same build.")
@click.option("--quick", is_flag=True, help="Only what can be checked within 10 seconds.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 256),
    default=Options.concurrency,
    show_default=True,
    metavar="N",
    help="How many calls at once each model must take.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    default=Options.labels,
    show_default=True,
    metavar="LABEL",
    help="A version label to look for. Repeat it for more.",
)
@click.option(
    "--server-version",
    default="",
    metavar="X.Y.Z",
    help="TensorFlow Serving's release, which no server tells: compared with the exporter's.",
)
@common_options
def check(
    *,
    common: Common,
    models: tuple[str, ...],
    repository: Path | None,
    golden: tuple[Path, ...],
    exact: bool,
    quick: bool,
    concurrency: int,
    labels: tuple[str, ...],
    server_version: str,
) -> int:
    """Check a server and its models, at each replica by itself: an acceptance test after a deployment.

    MODEL is a model's name; without one, all of Impasto's that are served, and those of --models. Each signature is
    called on small pictures, golden records are compared with what the exporter computed, and what is set badly is
    named with the flag that mends it. docs/check.md explains every check.

    Exits with 0 if nothing failed (a warning is none), 1 if something did, 3 if no replica answers, 4 if a MODEL is not
    served.

    \b
      impasto check
      impasto check --server gpu1:8500,gpu2:8500 --models models --server-version 2.21.0
      impasto check dream --quick --json
    """
    if golden and len(models) != 1:
        raise click.UsageError("--golden is of one model; name that one as MODEL")
    if "" in models:
        raise click.UsageError("MODEL is empty; name a model, or none for all")
    wanted = Wanted(
        models=tuple(dict.fromkeys(models)),
        repository=repository,
        golden=[_record(path) for path in golden],
        options=Options(
            quick=quick, exact=exact, concurrency=concurrency, labels=labels, server_version=server_version
        ),
    )

    said = set[tuple[str, str]]()

    def progress(server: str, model: str) -> None:
        if (server, model) not in said:
            said.add((server, model))
            note(f"{model} at {server} ...")

    each = replicas(common.settings())
    report = run_checks(each, wanted) if common.quiet else run_checks(each, wanted, progress)
    if common.as_json:
        print_json(_as_json(report))
    else:
        _show(report, quiet=common.quiet)
    for name in report.missing:
        note(f"impasto: {name} is not served at {', '.join(report.servers)}")
    if report.missing:
        return exit_codes.REFUSED
    return exit_codes.FAILED if report.outcome is Outcome.FAIL else exit_codes.DONE


def _record(path: Path) -> GoldenRecord:
    try:
        return GoldenRecord.from_bytes(path.read_bytes(), where=str(path))
    except GoldenError as error:
        raise click.UsageError(str(error)) from error


def _show(report: Report, *, quiet: bool) -> None:
    shown = [one for one in report.findings if not quiet or one.outcome in _TO_MEND]
    if shown:
        several = len(report.servers) > 1
        header = ("RESULT", "MODEL", "CHECK", "FOUND")
        rows = [_row(finding, several=several) for finding in shown]
        print_table((*header[:1], "REPLICA", *header[1:]) if several else header, rows)
    _show_remedies([one for one in shown if one.outcome in _TO_MEND and one.remedy])
    if not quiet:
        found = counts(report.findings)
        told = ", ".join(f"{number} {outcome}" for outcome, number in found.items() if number)
        note(f"{told}; {report.seconds:.1f} s")


def _row(finding: Finding, *, several: bool) -> list[str]:
    model = f"{finding.model}:{finding.version}" if finding.version else finding.model
    replica = [finding.server or "all"] if several else []
    return [finding.outcome.value, *replica, model or "-", finding.check, finding.words]


def _show_remedies(findings: Sequence[Finding]) -> None:
    """The remedies, each once, with the checks that it mends."""
    mends: dict[str, list[str]] = {}
    for finding in findings:
        place = f"{finding.check} of {finding.model}" if finding.model else finding.check
        places = mends.setdefault(finding.remedy, [])
        if place not in places:
            places.append(place)
    if mends:
        print_line("\nTo mend:")
        for remedy, places in mends.items():
            print_line(f"  {', '.join(places)}: {remedy}")


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "servers": list(report.servers),
        "outcome": report.outcome.value,
        "seconds": round(report.seconds, 2),
        "counts": counts(report.findings),
        "missing": list(report.missing),
        "findings": [finding.as_json() for finding in report.findings],
    }
