"""Cases of what a server serves: loads, reloads, batches and REST. Each says in a sentence what it saw."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Final

import numpy as np
from tensorflow_serving.apis import model_management_pb2

from both_servers.conformance import Case, broken_version, is_open, outcome, served, state_of
from processes.command_line import wait_until
from servers.configurations import configuration, model, reload, wait_for, write_configuration
from servers.model_servers import POLL
from servers.official_stubs import predict_request
from toys import toy_models

X: Final = np.zeros(1, np.float32)
_POLL_SECONDS: Final = float(POLL)
_IN_FORCE: Final = {"real": 3, "local": 240}
"""Seconds for a reload that the one server keeps waiting to its deadline and the other puts in force."""
_RETRIES: Final = {"max_num_load_retries": 2, "load_retry_interval_micros": 700_000}


def failing_load(kind: str, root: Path) -> str:
    """The states of a version that cannot be loaded, while and after it is tried again; the old one serves."""
    toy_models.constant(root, 1, name="m")
    with served(kind, root, **_RETRIES) as client:
        broken_version(root.parent / f"aside-{kind}", "m", 2).rename(root / "m" / "2")
        seen: list[str] = []
        end = time.monotonic() + 240
        while not seen or not seen[-1].startswith("END"):
            state = state_of(client, "m", 2)
            if state not in seen:
                seen.append(state)
            assert time.monotonic() < end, seen
            time.sleep(0.02)
        shown = [state for state in seen if not state.startswith(("NOT_FOUND", "START"))]
        version = client.predict("m", {"x": X}).model_spec.version.value
        return f"{', then '.join(shown)}; version {version} answers"


def incomplete_version(kind: str, root: Path) -> str:
    """A version that becomes complete after its last attempt to load."""
    toy_models.constant(root, 1, name="m")
    aside = toy_models.constant(root.parent / f"aside-{kind}", 2, name="m")
    with served(kind, root, max_num_load_retries=0) as client:
        (root / "m" / "2").mkdir()
        wait_for(lambda: state_of(client, "m", 2).startswith("END"), "version 2 should have failed")
        shutil.copytree(aside, root / "m" / "2", dirs_exist_ok=True)
        time.sleep(3 * _POLL_SECONDS)
        return state_of(client, "m", 2)


def reload_after_a_waiting_one(kind: str, root: Path) -> str:
    """A reload after one that waits for a new model without a version."""
    toy_models.constant(root, 1, name="one")
    config = write_configuration(root / "models.config", model(root, "one"))
    (root / "late").mkdir()
    with served(kind, config) as client:
        outcome(lambda: reload(client, model(root, "one"), model(root, "late"), timeout=2))
        return outcome(lambda: reload(client, model(root, "one"), timeout=_IN_FORCE[kind])).split(" status")[
            0
        ]


def reload_with_a_broken_model(kind: str, root: Path) -> str:
    """A reload that names a new model which cannot be loaded, and the same once more."""
    toy_models.constant(root, 1, name="one")
    broken_version(root, "bad", 1)
    config = write_configuration(root / "models.config", model(root, "one"))
    both = model(root, "one"), model(root, "bad")
    with served(kind, config, max_num_load_retries=0) as client:
        said = [outcome(lambda: reload(client, *both)).partition(":")[0] for _ in range(2)]
        return ", then ".join(text.split(" status")[0] for text in said)


def reload_after_a_refused_one(kind: str, root: Path) -> str:
    """A good reload after one that was refused for a new model without a platform."""
    toy_models.constant(root, 1, name="one")
    config = write_configuration(root / "models.config", model(root, "one"))
    with served(kind, config) as client:
        bad = model(root, "new")
        bad.model_platform = ""
        said = [outcome(lambda: reload(client, model(root, "one"), bad))]
        said.append(outcome(lambda: reload(client, model(root, "one"))))
        return ", then ".join(text.split(" ")[0] for text in said)


def many_reloads(kind: str, root: Path) -> str:
    """Three reloads at once, each of which waits for a model without a version."""
    toy_models.constant(root, 1, name="one")
    (root / "late").mkdir()
    config = write_configuration(root / "models.config", model(root, "one"))
    with served(kind, config) as client:
        request = model_management_pb2.ReloadConfigRequest(
            config=configuration(model(root, "one"), model(root, "late"))
        )
        calls = [client.models.HandleReloadConfigRequest.future(request, timeout=2) for _ in range(3)]
        return ", ".join(sorted(str(call.code().name) for call in calls))


def reload_with_a_good_and_a_broken_version(kind: str, root: Path) -> str:
    """A reload that names a new model, all its versions, of which the newest cannot be loaded."""
    toy_models.constant(root, 1, name="one")
    toy_models.constant(root, 1, name="new")
    broken_version(root, "new", 2)
    config = write_configuration(root / "models.config", model(root, "one"))
    with served(kind, config, max_num_load_retries=0) as client:
        both = model(root, "one"), model(root, "new", all_versions=True)
        return outcome(lambda: reload(client, *both)).split(" status")[0].partition(" due")[0]


def reload_without_polls(kind: str, root: Path) -> str:
    """A reload that names a new model where the disk is looked at once (--file_system_poll_wait_seconds=0)."""
    toy_models.constant(root, 1, name="one")
    toy_models.constant(root, 1, name="new")
    config = write_configuration(root / "models.config", model(root, "one"))
    with served(kind, config, file_system_poll_wait_seconds=0) as client:
        both = model(root, "one"), model(root, "new")
        return outcome(lambda: reload(client, *both, timeout=_IN_FORCE[kind])).split(" status")[0]


def missing_base_path(kind: str, root: Path) -> str:
    """A new version of one model where the folder of another one is gone."""
    toy_models.constant(root, 1, name="one")
    toy_models.constant(root, 1, name="other")
    newer = toy_models.constant(root.parent / f"aside-{kind}", 2, name="one")
    with served(kind, root) as client:
        (root / "other").rename(root / ".other")
        newer.rename(root / "one" / "2")
        time.sleep(4 * _POLL_SECONDS)
        return state_of(client, "one", 2)


def lost_variables(kind: str, root: Path) -> str:
    """A version whose folder of variables is empty."""
    toy_models.constant(root, 1, name="m")
    version = toy_models.variable(root.parent / f"aside-{kind}", 2, name="m")
    shutil.rmtree(version / "variables")
    (version / "variables").mkdir()
    with served(kind, root, max_num_load_retries=0) as client:
        version.rename(root / "m" / "2")
        ends = ("END", "AVAILABLE")
        wait_for(lambda: state_of(client, "m", 2).startswith(ends), "version 2 should load or fail")
        return state_of(client, "m", 2)


def version_beside_a_running_call(kind: str, root: Path) -> str:
    """A new version of a model while a call runs on the old one."""
    newer = toy_models.slow(root.parent / f"aside-{kind}", 2)
    return _beside_a_call(kind, root, newer, "slow")


def version_beside_a_call_of_another_model(kind: str, root: Path) -> str:
    """A new version of a model while a call runs on another model."""
    toy_models.constant(root, 1, name="m")
    newer = toy_models.constant(root.parent / f"aside-{kind}", 2, name="m")
    return _beside_a_call(kind, root, newer, "m")


def _beside_a_call(kind: str, root: Path, newer: Path, name: str) -> str:
    """When version 2 of a model is available that arrives while a call runs on `slow`."""
    toy_models.slow(root)
    with served(kind, root) as client:
        client.predict("slow", {"steps": np.int32(1)})
        request = predict_request("slow", {"steps": np.int32(2**31 - 1)})
        call = client.prediction.Predict.future(request, timeout=5 * _POLL_SECONDS)
        newer.rename(root / name / "2")
        while not call.done() and state_of(client, name, 2) != "AVAILABLE without an error":
            time.sleep(0.05)
        return "available only when the call has ended" if call.done() else "available beside the call"


def unloaded_version(kind: str, root: Path) -> str:
    """The state of a version that a newer one has replaced."""
    toy_models.constant(root, 1, name="m")
    newer = toy_models.constant(root.parent / f"aside-{kind}", 2, name="m")
    with served(kind, root) as client:
        newer.rename(root / "m" / "2")
        wait_for(lambda: state_of(client, "m", 1).startswith("END"), "version 1 should be unloaded")
        return f"{state_of(client, 'm', 1)}, {state_of(client, 'm', 2)}"


def batch_of_different_shapes(kind: str, root: Path) -> str:
    """Calls that meet where --enable_batching is given."""
    toy_models.half_plus_two(root)
    parameters = root / "batching.config"
    parameters.write_text(
        "max_batch_size { value: 8 } batch_timeout_micros { value: 500000 } num_batch_threads { value: 1 }"
    )
    with served(kind, root, enable_batching="true", batching_parameters_file=parameters) as client:
        client.predict("half", {"x": X})
        calls = [
            client.prediction.Predict.future(
                predict_request("half", {"x": np.zeros((1, width), np.float32)}), timeout=240
            )
            for width in (2, 3)
        ]
        return ", ".join(sorted({str(call.code().name) for call in calls}))


def _has_rest(kind: str, port: int) -> bool:
    """Whether the REST API is there. TensorFlow Serving opens its port a moment after that of gRPC."""
    if kind == "real":
        wait_until(lambda: is_open(port))
    return is_open(port)


def rest_port(kind: str, root: Path) -> str:
    """The REST API's port."""
    from servers.model_servers import free_port

    toy_models.half_plus_two(root)
    port = free_port()
    with served(kind, root, rest_api_port=port):
        return "open" if _has_rest(kind, port) else "closed"


def rest_predict_with_tensor_content(kind: str, root: Path) -> str:
    """REST's predict where --enable_serialization_as_tensor_content is given."""
    import json
    import urllib.request

    from servers.model_servers import free_port

    toy_models.half_plus_two(root)
    port = free_port()
    with served(kind, root, rest_api_port=port):
        if not _has_rest(kind, port):
            return "no REST API"
        body = json.dumps({"instances": [1.0, 2.0], "signature_name": "serving_default"}).encode()
        url = f"http://127.0.0.1:{port}/v1/models/half:predict"
        answer = json.loads(urllib.request.urlopen(url, body, timeout=240).read())
        right = [{"y": 2.5, "z": 3.5}, {"y": 3.0, "z": 4.0}]
        return "right numbers" if answer["predictions"] == right else "wrong numbers"


LOADS: Final = (
    Case("load: it fails", failing_load),
    Case("load: complete after the last attempt", incomplete_version),
    Case("load: a call runs on the version before", version_beside_a_running_call),
    Case("load: a call runs on another model", version_beside_a_call_of_another_model),
    Case("load: the version before", unloaded_version),
    Case("reload: after one that waits", reload_after_a_waiting_one),
    Case("reload: a new model that cannot be loaded, twice", reload_with_a_broken_model),
    Case("load: the variables are lost", lost_variables),
    Case("load: the folder of another model is gone", missing_base_path),
    Case("reload: after one that was refused", reload_after_a_refused_one),
    Case("reload: three at once", many_reloads),
    Case("reload: a new model's newest version cannot be loaded", reload_with_a_good_and_a_broken_version),
    Case("reload: a new model, where the disk is looked at once", reload_without_polls),
    Case("batching: different shapes", batch_of_different_shapes),
    Case("REST: the port", rest_port),
    Case("REST: predict with tensor_content", rest_predict_with_tensor_content),
)
