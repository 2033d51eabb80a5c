"""The calls of docs/other-languages.md, made by other people's tools as they stand there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from documents.code_blocks import DOCS
from impasto.client import Client, read_picture
from impasto.client.signatures import CONTRACTS, SERVING_DEFAULT
from servers.model_servers import TYPED, ModelServer, free_port, needs_real, server_process
from toys.shared_folders import shared_folder

PAGE = (DOCS / "other-languages.md").read_text(encoding="utf-8")
PROTOS = (DOCS / "predict.proto").read_text(encoding="utf-8")
PHOTO = DOCS.parent / "examples" / "photos" / "chelsea.png"
JARS = Path("/usr/share/java")
PATIENCE = 240
"""Seconds for what hangs."""


def needs(*programs: str) -> pytest.MarkDecorator:
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def code(name: str) -> str:
    """The file that a block of the page holds, whose first line names it."""
    (found,) = re.findall(rf"^```\w+\n// {re.escape(name)}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def command(start: str) -> str:
    """The page's command that starts so."""
    (found,) = re.findall(
        rf"^(?:```sh\n)?({re.escape(start)}.*?)(?=\n```|\n\w)", PAGE, re.MULTILINE | re.DOTALL
    )
    return str(found)


def run(line: str, folder: Path, **changes: str) -> str:
    """What a command of the page says, with other words in place of some of its own."""
    for old, new in changes.items():
        assert old in line, f"{old} is not in: {line}"
        line = line.replace(old, new)
    done = subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(params=["as shipped", "typed fields"])
def address(
    request: pytest.FixtureRequest,
    start_once: Callable[..., ModelServer],
    committed_models: Path,
    server_kind: str,
) -> str:
    """A server that answers in tensor_content, as compose.yaml starts it, and one with TensorFlow Serving's default."""
    changes: dict[str, Any] = TYPED if request.param == "typed fields" else {}
    return start_once(server_kind, committed_models, only=("srcnn",), **changes).address


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page's files for Node and the packages that it names; skipped where npm cannot bring them."""
    line = command("npm install")

    def fill(folder: Path) -> None:
        (folder / "upscale.mjs").write_text(code("upscale.mjs"), encoding="utf-8")
        (folder / "predict.proto").write_text(PROTOS, encoding="utf-8")
        words = [*line.split(), "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode:
            (folder / "refusal").write_text(done.stderr)

    folder = shared_folder(tmp_path_factory, "node", fill)
    if (folder / "refusal").exists():
        pytest.skip(f"npm cannot install the page's packages: {(folder / 'refusal').read_text()[:300]}")
    return folder


@pytest.fixture(scope="module")
def java(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the page's Java is compiled, with Debian's packages."""
    folder = tmp_path_factory.mktemp("java")
    (folder / "Upscale.java").write_text(code("Upscale.java"), encoding="utf-8")
    (folder / "predict.proto").write_text(PROTOS, encoding="utf-8")
    plugin = f"protoc --plugin=protoc-gen-grpc-java={shutil.which('grpc_java_plugin')}"
    run(command("protoc --"), folder, protoc=plugin)
    run(command("javac -cp"), folder, **{"jars/": f"{JARS}/", "javac": "javac -proc:none"})
    return folder


def upscaled(address: str) -> NDArray[np.uint8]:
    with Client(address) as client:
        return read_picture(client.upscale(PHOTO, tile=None)).rgb


@needs("node", "npm")
def test_node_upscales_as_the_python_client_does(node: Path, tmp_path: Path, address: str) -> None:
    large = tmp_path / "large.png"
    changes = {"photo.jpg": str(PHOTO), "large.png": str(large), "localhost:8500": address}
    assert run(command("node upscale.mjs"), node, **changes) == f"{large}: 900 x 600\n"
    assert np.array_equal(read_picture(large).rgb, upscaled(address))


@needs("protoc", "grpc_java_plugin", "javac", "java")
@pytest.mark.skipif(not (JARS / "grpc-netty.jar").exists(), reason="Debian's libgrpc-java is not installed")
def test_java_upscales_as_the_python_client_does(java: Path, tmp_path: Path, address: str) -> None:
    large = tmp_path / "large.png"
    changes = {
        "jars/": f"{JARS}/",
        "photo.jpg": str(PHOTO),
        "large.png": str(large),
        "localhost:8500": address,
    }
    run(command("java -cp"), java, **changes)
    assert np.array_equal(read_picture(large).rgb, upscaled(address))


@needs("grpcurl")
def test_grpcurl_gets_the_pages_answer(address: str) -> None:
    answer = json.loads(run(command("grpcurl -plaintext"), DOCS, **{"localhost:8500": address}))["outputs"][
        "image"
    ]
    assert [int(dim["size"]) for dim in answer["tensorShape"]["dim"]] == [1, 2, 4, 3]
    assert answer.get("intVal") == [10, 20, 30] * 8 or answer.get("tensorContent") == "ChQe" * 8


@needs("curl")
@needs_real
def test_curl_gets_an_answer_by_rest_where_all_inputs_are_named(
    committed_models: Path, dream_repository: Path, tmp_path: Path
) -> None:
    rest = free_port()
    for repository in (committed_models, dream_repository):
        for model in filter(Path.is_dir, repository.iterdir()):
            (tmp_path / model.name).symlink_to(model.resolve())
    with server_process(tmp_path, kind="real", rest_api_port=rest, **TYPED):
        port = {"localhost:8501": f"localhost:{rest}"}
        assert json.loads(run(command("curl -s"), DOCS, **port))["outputs"] == [[[[10, 20, 30]] * 4] * 2]
        refusal = json.loads(run(command("curl -s"), DOCS, **port, srcnn="dream"))["error"]
    said = r"Missing named input: \w+ in 'inputs' object\."  # which one, chance decides
    assert re.fullmatch(said, refusal) and re.search(said, PAGE.replace("\n", " "))


def test_the_pages_protos_are_a_part_of_the_official_ones() -> None:
    from google.protobuf.descriptor_pb2 import DescriptorProto
    from google.protobuf.wrappers_pb2 import Int64Value
    from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2
    from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_service_pb2

    official: set[tuple[str, str]] = set()
    for message in (
        *(predict_pb2.PredictRequest, predict_pb2.PredictResponse, model_pb2.ModelSpec, Int64Value),
        *(tensor_pb2.TensorProto, tensor_shape_pb2.TensorShapeProto, tensor_shape_pb2.TensorShapeProto.Dim),
    ):
        proto = DescriptorProto()
        message.DESCRIPTOR.CopyToProto(proto)
        official |= {
            (proto.name, f"{kind(field, proto)} {field.name} = {field.number}") for field in proto.field
        }
    official |= {("DataType", f"{name} = {number}") for name, number in types_pb2.DataType.items()}
    (service,) = prediction_service_pb2.DESCRIPTOR.services_by_name.values()
    rpc = service.methods_by_name["Predict"]
    official.add((service.name, f"rpc Predict({rpc.input_type.name}) returns ({rpc.output_type.name})"))

    within = ""
    for line in PROTOS.splitlines():
        if begun := re.match(r"\s*(?:message|enum|service) (\w+) \{", line):
            within = begun[1]
        elif within and (declaration := re.match(r"\s*(.*);$", line)):
            assert (within, declaration[1]) in official
    assert f"package {service.full_name.rpartition('.')[0]};" in PROTOS


def kind(field: Any, message: Any) -> str:
    """The type of a field, as a .proto file has it."""
    name = field.type_name.rpartition(".")[2] or field.Type.Name(field.type).removeprefix("TYPE_").lower()
    entries = {entry.name: entry for entry in message.nested_type if entry.options.map_entry}
    if name in entries:
        return f"map<{', '.join(kind(part, message) for part in entries[name].field)}>"
    return f"repeated {name}" if field.label == field.LABEL_REPEATED else name


def test_the_page_names_the_inputs_that_a_call_must_have() -> None:
    for model in CONTRACTS.values():
        (row,) = re.findall(rf"^\| `{model.usual_model}` \| (.*) \|$", PAGE, re.MULTILINE)
        inputs = model.signatures[SERVING_DEFAULT].inputs
        required = [spec for spec in inputs if spec.required]
        assert re.findall(r"`(\w+)`", row) == [spec.name for spec in required]
        assert {spec.dtype for spec in required} == {"uint8"}
