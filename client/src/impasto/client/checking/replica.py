"""All checks of one replica, in their order; first those of it as a whole, before any model is called."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from impasto.client import errors
from impasto.client._transport import calls
from impasto.client.checking import disk_checks, invariants, model_checks
from impasto.client.checking.probe import OutOfTime, Probe
from impasto.client.checking.subject import Finding, Options, Subject, failed, passed, skipped, warned
from impasto.client.model import Model, ModelMetadata, State
from impasto.client.repository.contract import contract_of
from impasto.client.repository.golden import GoldenRecord
from impasto.client.signatures import MODELS

_NOBODY_THERE: Final = (
    errors.ServerUnavailable,
    errors.TlsError,
    errors.DeadlineExceeded,
    errors.CallUnsupported,
)
_SERVING: Final = b"\x08\x01"
"""A HealthCheckResponse with the status SERVING."""


def _reachable(probe: Probe) -> Finding:
    """Check that a model server answers. Raises CallError if none does."""
    started = time.perf_counter()
    try:
        probe.ask(calls.ping_call())
    except (*_NOBODY_THERE, errors.DecodeError):
        raise
    except errors.CallError:
        pass  # the refusal that a call for no model gets: it answers
    return passed("reachable", f"answers in {1000 * (time.perf_counter() - started):.0f} ms")


def _unreachable(error: errors.CallError) -> list[Finding]:
    """The findings about a replica that does not answer."""
    if isinstance(error, errors.TlsError):
        remedy = "--tls-ca, --tls-server-name, --tls/--no-tls here, or --ssl_config_file of the server"
        return [failed("tls", str(error), remedy)]
    return [failed("reachable", str(error), "--server")]


def _tls(probe: Probe) -> Finding:
    """Say how the connection is protected. It stands, so it is as the settings ask."""
    asked = probe.settings.tls
    if asked is None:
        return passed("tls", "plain text, as asked")
    own = ", with this client's certificate" if asked.certificate is not None else ""
    return passed("tls", f"encrypted, and the server's certificate is trusted{own}")


def _health(probe: Probe) -> Iterator[Finding]:
    """Check that the health service answers, which probes and load balancers ask."""
    try:
        answer = probe.health()
    except errors.CallUnsupported:
        yield warned(
            "health", "there is no health service to probe", "--enable_grpc_healthcheck_service=true"
        )
        return
    if answer == _SERVING:
        yield passed("health", "SERVING")
    else:
        yield failed(
            "health", f"the health service does not say SERVING, but {answer[:20].hex() or 'nothing'}"
        )


Check = Callable[[Subject], Finding | Iterable[Finding]]

_ROUNDS: Final[tuple[tuple[tuple[str, Check], ...], ...]] = (
    (
        ("labels", model_checks.labels),
        ("contract", model_checks.contract),
        ("manifest", disk_checks.manifest),
        ("signatures", model_checks.signatures),  # before all others, which would warm the model
        ("warm", model_checks.warm),
        ("golden", disk_checks.golden),
        ("unchanged", invariants.unchanged),
        ("repeat", invariants.repeated),
    ),
    (
        ("message size", model_checks.message_size),
        ("latency", model_checks.latency),
        ("at once", model_checks.at_once),
        ("encoding", model_checks.encoding),  # these two judge what the others saw
        ("batching", model_checks.batching),
    ),
)
"""The checks that all models pass through first, and then: the time may not do for everything."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The choice of what to check.

    Attributes:
        models: the names; those of the contract that are served, and the repository's, if empty.
        repository: the folder of the models' files; None if it was not given.
        golden: golden records that were given by themselves.
        options: of the checks.
    """

    models: Sequence[str] = ()
    repository: Path | None = None
    golden: Sequence[GoldenRecord] = ()
    options: Options = field(default_factory=Options)


@dataclass(eq=False, kw_only=True)
class Examination:
    """The result of all checks of a replica.

    Attributes:
        server: its address.
        findings: in the checks' order.
        subjects: each model that was asked for; None where the replica does not serve it.
        error: why nothing is known, if the replica does not answer.
    """

    server: str
    findings: list[Finding] = field(default_factory=list[Finding])
    subjects: dict[str, Subject | None] = field(default_factory=dict[str, "Subject | None"])
    error: errors.CallError | None = None


def examine(probe: Probe, wanted: Wanted, on_model: Callable[[str], None]) -> Examination:
    """Run all checks on one replica.

    Args:
        probe: the replica.
        wanted: what to check.
        on_model: called with the name of each model before it is called.
    """
    result = Examination(server=probe.server)
    try:
        found = [_reachable(probe), _tls(probe)]
    except errors.CallError as error:
        result.error, found = error, _unreachable(error)
    except OutOfTime:
        found = [_out_of_time("reachable", probe)]
    result.findings = [replace(one, server=probe.server) for one in found]
    if len(found) == 1:
        return result
    result.findings += _of(_guarded("health", probe, partial(_health, probe)), probe)
    names = wanted.models or _usual(wanted.repository)
    about = {name: list(_of(_found(probe, name, wanted, result), probe, name)) for name in names}
    for checks in _ROUNDS:
        for name, subject in result.subjects.items():
            if subject is None:
                continue
            on_model(name)
            for check, run in checks:
                findings = _guarded(check, probe, partial(run, subject))
                about[name] += _of(findings, probe, name, subject.metadata.version)
    result.findings += [finding for name in names for finding in about[name]]
    return result


def _of(findings: Iterable[Finding], probe: Probe, model: str = "", version: int = 0) -> Iterator[Finding]:
    """The findings with what they are about."""
    for one in findings:
        yield replace(one, server=probe.server, model=model, version=version)


def _usual(repository: Path | None) -> list[str]:
    """The names to ask for where none were given."""
    names = list(MODELS)
    if repository is not None:
        folders = sorted(entry.name for entry in repository.iterdir() if entry.is_dir())
        names += [name for name in folders if name not in MODELS and not name.startswith(".")]
    return names


def _found(probe: Probe, name: str, wanted: Wanted, result: Examination) -> Iterator[Finding]:
    """Look for a model, and add what is there of it to the result. Raises ClientClosed."""
    try:
        statuses = probe.ask(calls.status_call(Model(name)))
        result.subjects[name] = None
        yield model_checks.versions(statuses)
        if any(version.state is State.AVAILABLE for version in statuses):
            metadata = probe.ask(calls.metadata_call(Model(name)))
            result.subjects[name] = _subject(probe, name, metadata, wanted)
    except errors.ModelNotFound:
        result.subjects[name] = None
    except errors.ClientClosed:
        raise
    except errors.CallError as error:
        yield failed("versions", str(error))
    except OutOfTime:
        yield _out_of_time("versions", probe)


def _subject(probe: Probe, name: str, metadata: ModelMetadata, wanted: Wanted) -> Subject:
    on_disk = disk_checks.read_version(wanted.repository, wanted.golden, name, metadata.version)
    told = None if on_disk.manifest is None else on_disk.manifest.contract
    return Subject(
        probe=probe,
        metadata=replace(metadata, model=name),
        contract=contract_of(name, metadata.signatures, told=told),
        on_disk=on_disk,
        options=wanted.options,
    )


def _guarded(check: str, probe: Probe, run: Callable[[], Finding | Iterable[Finding]]) -> Iterator[Finding]:
    """The findings of a check, and one more where a call ended it. Raises ClientClosed: nobody wants any more."""
    try:
        found = run()
        yield from [found] if isinstance(found, Finding) else found
    except errors.ClientClosed:
        raise
    except OutOfTime:
        yield _out_of_time(check, probe)
    except errors.CallError as error:
        yield failed(check, str(error))


def _out_of_time(check: str, probe: Probe) -> Finding:
    return skipped(check, f"not done within {probe.clock.seconds:g} s; leave out --quick")
