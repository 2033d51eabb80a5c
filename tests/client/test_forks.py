"""A forked child calls its server over a channel of its own, or is told at once that it cannot; the parent goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from processes import forking
from processes.forking import CHILDREN
from processes.scripts import run_script
from servers.certificates import Authority
from servers.model_servers import ModelServer, server_process, serving

SUM = "[2.0, 2.0]"


def outcomes(case: str, address: str, *ca: object) -> dict[str, int]:
    """What became of the children of a program, and how many of them."""
    run = run_script(forking, case, address, *ca)
    assert run.returncode == 0, run.stderr
    found: dict[str, int] = json.loads(run.stdout.splitlines()[-1])
    return found


def told(case: str, address: str) -> dict[str, int]:
    """What children were told that had to be told something.

    gRPC's core does not survive every fork while its threads work for an AsyncClient: now and then it ends a child by a
    signal, before that has asked for anything. Such a child tells nothing, and others are asked.
    """
    for _ in range(5):
        found = outcomes(case, address)
        if not any(words.startswith("signal ") for words in found):
            break
    return found


@pytest.mark.parametrize(
    ("case", "children"),
    [
        ("made_before", CHILDREN // 4),
        ("used_before", CHILDREN // 4),
        ("used_by_threads", CHILDREN),
        ("threads_in_the_child", CHILDREN // 4),
        ("forked_in_threads", CHILDREN),
        ("new_clients", CHILDREN // 2),
        ("grandchildren", CHILDREN // 4),
        ("a_pool", CHILDREN),
        ("a_closed_async_client", CHILDREN // 4),
        ("an_unused_async_client", CHILDREN // 4),
    ],
)
def test_every_child_is_answered_and_the_parent_too(
    toy_server: ModelServer, case: str, children: int
) -> None:
    assert outcomes(case, toy_server.address) == {SUM: children}


@pytest.mark.local_server_only(
    "what a fork does to a client's own process; children of both servers' clients are answered above"
)
def test_children_are_answered_over_tls(toy_repository: Path, tmp_path: Path, server_kind: str) -> None:
    authority = Authority(tmp_path, "ca")
    with serving(
        server_kind, toy_repository, only=["add"], ssl_config_file=authority.ssl_config("127.0.0.1")
    ) as server:
        ca = authority.client().ca
        assert outcomes("used_before", server.address, ca) == {SUM: CHILDREN // 4}


@pytest.mark.local_server_only(
    "what a fork does to a client's own process; children of both servers' clients are answered above"
)
def test_a_client_that_a_child_closes_is_closed_there_alone(toy_server: ModelServer) -> None:
    assert outcomes("closed_in_the_child", toy_server.address) == {"closed": CHILDREN // 4}


@pytest.mark.local_server_only(
    "what a fork does to a client's own process; children of both servers' clients are answered above"
)
@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("a_long_call", "forked while 1 call was under way in its parent"),
        ("an_async_client", "forked while an AsyncClient was open in its parent"),
    ],
)
def test_a_child_is_told_where_grpc_does_not_survive(
    toy_repository: Path, server_kind: str, case: str, reason: str
) -> None:
    # A server goes on with a call that is given up: this one is killed, lest it compute beside all later tests.
    with server_process(toy_repository, kind=server_kind) as server:
        found = told(case, server.address)
    assert sum(found.values()) == 2
    for words in found:
        assert words.startswith("ForkedProcess: ")
        assert reason in words
        assert "spawn" in words and "post_fork" in words and "worker_process_init" in words


@pytest.mark.local_server_only(
    "what a fork does to a client's own process; children of both servers' clients are answered above"
)
def test_the_rest_of_a_map_is_the_parents(toy_server: ModelServer) -> None:
    found = told("in_the_middle_of_a_map", toy_server.address)
    assert found.pop("None") == 1  # closed, as if it had been given up
    assert list(found.values()) == [1]
    assert "begin it anew here" in next(iter(found))
