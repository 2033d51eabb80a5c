"""Checks of the replicas beside each other: they must serve the same versions, and answer the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from impasto.client.checking.comparing import differences
from impasto.client.checking.findings import Finding, failed, passed
from impasto.client.checking.subject import Subject


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
