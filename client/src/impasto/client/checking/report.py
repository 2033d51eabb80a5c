"""All checks of all replicas: of each alone, and of all beside each other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import Final

from impasto.client import errors
from impasto.client.checking.invariants import differences
from impasto.client.checking.probe import Clock, Probe
from impasto.client.checking.replica import Examination, Wanted, examine
from impasto.client.checking.subject import Finding, Outcome, Subject, failed, passed
from impasto.client.settings import Settings


def agreement(model: str, replicas: Mapping[str, Subject | None]) -> Iterator[Finding]:
    """Compare what each replica has of a model.

    Args:
        model: the model's name.
        replicas: the model at each replica that answers, by its address; None where it is not served.
    """
    if len(replicas) < 2:
        return
    there = {server: subject for server, subject in replicas.items() if subject is not None}
    lacking = [server for server in replicas if server not in there]
    if lacking:
        yield failed(
            "replicas agree",
            f"{model} is not served at {', '.join(lacking)}, but at {', '.join(there)}",
            "--model_config_file and --model_base_path: the same for all",
        )
    versions = {server: subject.metadata.version for server, subject in there.items()}
    if len(set(versions.values())) > 1:
        told = ", ".join(f"{version} at {server}" for server, version in versions.items())
        yield failed(
            "replicas agree",
            f"they serve different versions: {told}",
            "--model_config_file with the same model_version_policy; or wait for the rollout's end",
        )
    elif not lacking:
        yield _same_answers(list(there.items()))


def _same_answers(there: Sequence[tuple[str, Subject]]) -> Finding:
    (first, subject), *others = there
    near = ""
    compared = 0
    for server, other in others:
        for signature in subject.answers.keys() & other.answers.keys():
            compared += 1
            one, two = subject.answers[signature].outputs, other.answers[signature].outputs
            for difference in differences(one, two):
                words = f"{signature} at {server} and {first}: {difference.words}"
                if not difference.is_allowed:
                    return failed(
                        "replicas agree",
                        words,
                        "the same files for all: impasto-export repository verify on each; else TF_DETERMINISTIC_OPS=1",
                    )
                near = near or words
    words = f"all {len(there)} serve version {subject.metadata.version}"
    if near:
        return passed("replicas agree", f"{words}; as near as different processors may be: {near}")
    return passed("replicas agree", f"{words}, with equal bits in {compared} answers" if compared else words)


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
