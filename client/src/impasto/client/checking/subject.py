"""A model on one replica under examination: what is known of it, its calls, and what is found."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from impasto.client.checking import samples
from impasto.client.checking.probe import Answer, Outputs, Probe
from impasto.client.errors import CallError, DecodeError
from impasto.client.model import Model, ModelMetadata
from impasto.client.repository.golden import GoldenRecord
from impasto.client.repository.manifest import Manifest
from impasto.client.settings import CallKind
from impasto.client.signatures import (
    DREAM,
    FACTORS,
    SERVING_DEFAULT,
    STYLIZE,
    TRANSFER,
    UPSCALE,
    ModelContract,
)


class Outcome(enum.Enum):
    """The outcome of a check, from good to bad; SKIP says nothing about the server."""

    PASS = "pass"  # noqa: S105 - not a password
    SKIP = "skip"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A finding about a replica, or about a model on it.

    Attributes:
        check: the name of the check.
        outcome: WARN works, but not as it should; FAIL does not work, or not rightly.
        words: what was found, for people.
        remedy: the flag, the variable or the command that mends it; empty where nothing is to be mended.
        model: the model's name; empty for the server itself.
        version: the model's version that was called; 0 where none was.
        server: the replica's address.
    """

    check: str
    outcome: Outcome
    words: str
    remedy: str = ""
    model: str = ""
    version: int = 0
    server: str = ""

    def as_json(self) -> dict[str, Any]:
        """The finding as JSON values."""
        return {
            "server": self.server,
            "model": self.model or None,
            "version": self.version or None,
            "check": self.check,
            "outcome": self.outcome.value,
            "found": self.words,
            "remedy": self.remedy or None,
        }


def passed(check: str, words: str) -> Finding:
    """A finding that all is well."""
    return Finding(check=check, outcome=Outcome.PASS, words=words)


def skipped(check: str, words: str) -> Finding:
    """A finding that nothing could be said; the words are the reason."""
    return Finding(check=check, outcome=Outcome.SKIP, words=words)


def warned(check: str, words: str, remedy: str = "") -> Finding:
    """A finding that something is set badly."""
    return Finding(check=check, outcome=Outcome.WARN, words=words, remedy=remedy)


def failed(check: str, words: str, remedy: str = "") -> Finding:
    """A finding that something does not work."""
    return Finding(check=check, outcome=Outcome.FAIL, words=words, remedy=remedy)


def counts(findings: Iterable[Finding]) -> dict[str, int]:
    """Return how many findings have each outcome, by its value."""
    found = {outcome.value: 0 for outcome in Outcome}
    for finding in findings:
        found[finding.outcome.value] += 1
    return found


DESCRIBE: Final = "describe"
LONGEST_SIDE: Final = 4096
"""The longest side, in pixels, of the pictures that are sent: what a model says of itself may be anything."""

_KINDS: Final[Mapping[str, CallKind]] = {
    UPSCALE.name: "upscale",
    STYLIZE.name: "stylize",
    DREAM.name: "dream",
    TRANSFER.name: "transfer",
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """The choices of the person who asks for the checks.

    Attributes:
        quick: only what fits into some seconds.
        exact: golden records must be met bit for bit.
        concurrency: the calls that a model must take at once.
        labels: the version labels to look for.
        server_version: TensorFlow Serving's, which no server tells; empty if it is not known.
    """

    quick: bool = False
    exact: bool = False
    concurrency: int = 32
    labels: tuple[str, ...] = ("stable", "canary")
    server_version: str = ""


@dataclass(frozen=True, kw_only=True)
class OnDisk:
    """The files of a version, as far as they were given.

    Attributes:
        manifest: the version's; None where it is not known.
        golden: its golden records.
        problem: why there is less than there could be.
    """

    manifest: Manifest | None = None
    golden: tuple[GoldenRecord, ...] = ()
    problem: str = ""


@dataclass(eq=False, kw_only=True)
class Subject:
    """A version of a model on one replica.

    Attributes:
        probe: the replica.
        metadata: of the version that is called all along.
        contract: the contract that it keeps, or should by its name; None for another's model.
        on_disk: its files.
        options: of the checks.
        answers: the outputs of each signature that was called with the same inputs at every replica.
        again: the same once more.
        errors: what calls were refused with.
    """

    probe: Probe
    metadata: ModelMetadata
    contract: ModelContract | None
    on_disk: OnDisk
    options: Options
    answers: dict[str, Answer] = field(default_factory=dict[str, Answer])
    again: dict[str, Answer] = field(default_factory=dict[str, Answer])
    errors: list[CallError] = field(default_factory=list[CallError])

    @property
    def model(self) -> Model:
        """The model in the version that was found first."""
        return Model(self.metadata.model, version=self.metadata.version or None)

    @property
    def kind(self) -> CallKind:
        """The kind of the model's calls, by which they may take long."""
        return "predict" if self.contract is None else _KINDS[self.contract.name]

    @property
    def is_changed_by_calls(self) -> bool:
        """True if the manifest says that a request changes what the next one sees."""
        return self.on_disk.manifest is not None and bool(self.on_disk.manifest.shared_state)

    def call(self, signature: str, inputs: Mapping[str, object]) -> Answer:
        """Call a signature. Raises as `Probe.predict`; a CallError is kept in `errors`, too."""
        try:
            return self.probe.predict(self.model, signature, inputs, self.kind)
        except CallError as error:
            self.errors.append(error)
            raise

    def described(self) -> Outputs:
        """The outputs of describe, asked once; nothing where the model does not describe itself. Raises CallError."""
        if DESCRIBE not in self.metadata.signatures:
            return {}
        if DESCRIBE not in self.answers:
            self.answers[DESCRIBE] = self.call(DESCRIBE, {})
        return self.answers[DESCRIBE].outputs

    def size(self) -> tuple[int, int]:
        """Height and width of a small picture that the model takes. Raises CallError."""
        return samples.size_for(self.described())

    def factors(self) -> dict[str, int]:
        """The factor by which each signature of an upscaler enlarges. Raises CallError."""
        told = samples.output(self.described(), "factors").ravel()
        if not told.size or told.dtype.kind not in "iu":
            raise DecodeError("describe says no factors")
        named = {name: factor for factor, name in FACTORS.items() if name in self.metadata.signatures}
        return {SERVING_DEFAULT: int(told[0]), **named}

    def told(self, name: str, *, most: int = LONGEST_SIDE) -> int:
        """Return a number of an upscaler's describe, which is the same for each element of its query.

        Raises:
            CallError: describe fails. DecodeError if it says no such number, or one that is below 0 or above `most`.
        """
        found = samples.output(self.described(), name).ravel()
        if not found.size or found.dtype.kind not in "iu":
            raise DecodeError(f"describe says no {name}")
        if not 0 <= int(found[0]) <= most:
            raise DecodeError(f"describe says {name} {found[0]}; the checks send at most {most} pixels")
        return int(found[0])

    def serving_inputs(self) -> samples.Inputs | None:
        """Inputs of a quick call of serving_default; None where none are known. Raises CallError."""
        if self.contract is not None:
            return samples.serving_inputs(self.contract.name, *self.size())
        signature = self.metadata.signatures.get(SERVING_DEFAULT)
        if signature is None or self.is_changed_by_calls:
            return None
        for record in self.on_disk.golden:
            if record.signature == SERVING_DEFAULT:
                return record.inputs
        try:
            return samples.invented(signature)
        except samples.CannotInvent:
            return None

    def opened(self) -> Outputs:
        """The answer of `open` of a dream or a transfer. Raises CallError."""
        name = TRANSFER.name if self.contract is None else self.contract.name
        return self.call("open", samples.opening_inputs(name, *self.size())).outputs
