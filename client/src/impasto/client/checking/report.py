"""All checks of all replicas."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import Final

from impasto.client import errors
from impasto.client.checking.agreement import agreement
from impasto.client.checking.findings import Finding, Outcome
from impasto.client.checking.probe import Clock, Probe
from impasto.client.checking.replica import Examination, Wanted, examine
from impasto.client.settings import Settings

_QUICK_SECONDS: Final = 9.0
"""For all calls together; Python's start and the report take most of another second."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The findings about all replicas.

    Attributes:
        servers: the replicas' addresses.
        findings: by replica, then by model; those about all replicas together at the end.
        missing: the models that were asked for, and no replica serves.
        seconds: that the checks took.
    """

    servers: tuple[str, ...]
    findings: tuple[Finding, ...]
    missing: tuple[str, ...]
    seconds: float

    @property
    def outcome(self) -> Outcome:
        """The worst of the findings; one that was skipped says nothing."""
        found = {finding.outcome for finding in self.findings}
        return next((worst for worst in (Outcome.FAIL, Outcome.WARN) if worst in found), Outcome.PASS)


def _say_nothing(_server: str, _model: str) -> None:
    pass


def check(
    replicas: Sequence[Settings], wanted: Wanted, on_progress: Callable[[str, str], None] = _say_nothing
) -> Report:
    """Check each replica by itself, all at the same time, and then what they say beside each other.

    Args:
        replicas: the settings of each.
        wanted: what to check.
        on_progress: called with a replica and a model before that is called, from several threads.

    Raises:
        CallError: no replica answers; the error of the first. ModelNotFound if none serves a model to check.
        SettingsError: a setting cannot be used.
    """
    started = time.monotonic()
    clock = Clock(_QUICK_SECONDS if wanted.options.quick else None)
    # What ends this early, such as Ctrl-C, closes the probes before it waits for the threads: so their calls end.
    with ThreadPoolExecutor(len(replicas)) as threads, ExitStack() as stack:
        probes = [stack.enter_context(closing(Probe(settings, clock))) for settings in replicas]

        def run(probe: Probe) -> Examination:
            return examine(probe, wanted, lambda model: on_progress(probe.server, model))

        done = list(threads.map(run, probes))
    failures = [one.error for one in done if one.error is not None]
    if len(failures) == len(done):
        raise failures[0]
    names = list(dict.fromkeys(name for one in done for name in one.subjects))
    served = {name for one in done for name, subject in one.subjects.items() if subject is not None}
    findings = [finding for one in done for finding in one.findings]
    if names and not served and not any(finding.model for finding in findings):
        address = ", ".join(probe.server for probe in probes)
        raise errors.ModelNotFound(
            f"{address} serves none of {', '.join(names)}; name a model that it does serve", address=address
        )
    for name in names:
        there = {one.server: one.subjects[name] for one in done if name in one.subjects}
        if name in served:
            findings += [replace(finding, model=name) for finding in agreement(name, there)]
    return Report(
        servers=tuple(probe.server for probe in probes),
        findings=tuple(findings),
        missing=tuple(name for name in wanted.models if name in names and name not in served),
        seconds=time.monotonic() - started,
    )
