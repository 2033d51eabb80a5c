"""Forms of a SavedModel that exporters of others write: one server of each kind serves them all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.protobuf import saved_model_pb2

from servers.model_servers import serving, start_failure
from servers.official_stubs import OfficialClient, official_client, outputs
from toys import toy_models

X = np.array([1, 2], np.float32)
LARGEST = 2**63 - 1
NOT_THERE = "specified in either feed_devices or fetch_devices was not found in the Graph"


def as_text(version: Path) -> None:
    """Write the model as saved_model.pbtxt."""
    binary = version / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(binary.read_bytes())
    (version / "saved_model.pbtxt").write_text(text_format.MessageToString(saved))
    binary.unlink()


def with_other_tags(version: Path) -> None:
    """Put a graph for training before the one that serves, whose signature adds something else."""
    path = version / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    (served,) = saved.meta_graphs
    training = type(served).FromString(served.SerializeToString())
    training.meta_info_def.tags[:] = ["train"]
    training.signature_def["serving_default"].outputs["y"].name = "a:0"
    del saved.meta_graphs[:]
    saved.meta_graphs.extend([training, served])
    path.write_bytes(saved.SerializeToString())


def without_index(version: Path) -> None:
    """Name the tensors of a signature as some exporters do: `x` for `x:0`."""
    path = version / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    signature = saved.meta_graphs[0].signature_def["serving_default"]
    for info in (*signature.inputs.values(), *signature.outputs.values()):
        info.name = info.name.removesuffix(":0")
    path.write_bytes(saved.SerializeToString())


def without_outputs(version: Path) -> None:
    """Add a signature that answers nothing."""
    path = version / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    signatures = saved.meta_graphs[0].signature_def
    signatures["silent"].CopyFrom(signatures["serving_default"])
    signatures["silent"].outputs.clear()
    path.write_bytes(saved.SerializeToString())


def with_sparse_output(version: Path) -> None:
    """Let an output be a SparseTensor, which a signature describes by three tensors."""
    path = version / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    output = saved.meta_graphs[0].signature_def["serving_default"].outputs["z"]
    name = output.name
    output.ClearField("name")
    for part in ("values_tensor_name", "indices_tensor_name", "dense_shape_tensor_name"):
        setattr(output.coo_sparse, part, name)
    path.write_bytes(saved.SerializeToString())


def with_vocabulary(root: Path) -> None:
    """A model that looks words up in a table, which is initialised from an asset when it is loaded."""
    words = root.parent / "words.txt"
    words.write_text("zero\none\ntwo\n")

    class Model(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            initializer = tf.lookup.TextFileInitializer(
                str(words),
                tf.string,
                tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
            )
            self.table = tf.lookup.StaticHashTable(initializer, -1)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "word")])
        def look_up(self, word: Any) -> dict[str, Any]:
            return {"number": self.table.lookup(word)}

    model = Model()
    tf.saved_model.save(model, str(root / "vocabulary" / "1"), signatures=model.look_up)
    words.unlink()


@pytest.fixture(scope="module")
def client(server_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfficialClient]:
    root = tmp_path_factory.mktemp("others") / "models"
    as_text(toy_models.half_plus_two(root, name="text"))
    with_other_tags(toy_models.add(root, name="tags"))
    without_outputs(toy_models.half_plus_two(root, name="silent"))
    with_sparse_output(toy_models.half_plus_two(root, name="sparse"))
    with_vocabulary(root)
    without_index(toy_models.half_plus_two(root, name="bare"))
    toy_models.constant(root, 0, name="zero")
    toy_models.constant(root, 7, name="padded").rename(root / "padded" / "007")
    toy_models.constant(root, 5, name="largest").rename(root / "largest" / str(LARGEST))
    toy_models.constant(root, 5, name="minus").rename(root / "minus" / "-1")
    toy_models.constant(root, 2, name="minus")
    with serving(server_kind, root) as server, official_client(server.address) as client:
        yield client


def test_a_model_in_text_is_served(client: OfficialClient) -> None:
    assert outputs(client.predict("text", {"x": X}))["y"].tolist() == [2.5, 3]


def test_a_tensor_named_without_its_index_is_the_first(client: OfficialClient) -> None:
    assert outputs(client.predict("bare", {"x": X}))["y"].tolist() == [2.5, 3]


def test_of_several_graphs_the_one_with_the_tag_serve_is_served(client: OfficialClient) -> None:
    assert outputs(client.predict("tags", {"a": X, "b": X}))["y"].tolist() == [2, 4]


def test_a_table_that_is_read_from_an_asset_is_initialised(client: OfficialClient) -> None:
    words = np.array([b"two", b"zero", b"none"], object)
    assert outputs(client.predict("vocabulary", {"word": words}))["number"].tolist() == [2, 0, -1]


@pytest.mark.parametrize(("name", "number"), [("zero", 0), ("padded", 7), ("largest", LARGEST), ("minus", 2)])
def test_the_number_of_a_version_is_read_as_one(client: OfficialClient, name: str, number: int) -> None:
    answer = client.predict(name, {"x": X})
    assert answer.model_spec.version.value == number
    assert [state.version for state in client.status(name).model_version_status] == [number]


def test_a_signature_without_outputs_is_refused(client: OfficialClient) -> None:
    said = refusal(client, {"name": "silent", "signature_name": "silent"})
    assert said == "INVALID_ARGUMENT: Must specify at least one target to fetch or execute."


def test_a_sparse_output_is_refused(client: OfficialClient) -> None:
    assert outputs(client.predict("sparse", {"x": X}, output_filter=("y",)))["y"].tolist() == [2.5, 3]
    said = refusal(client, "sparse")
    assert said == f"INVALID_ARGUMENT: Tensor :0, {NOT_THERE}"


def test_an_operation_that_the_server_does_not_have_is_named(server_kind: str, tmp_path: Path) -> None:
    path = toy_models.constant(tmp_path) / "saved_model.pb"
    path.write_bytes(path.read_bytes().replace(b"\x12\x04Fill", b"\x12\x04Fxll"))
    assert "NOT_FOUND: Op type not registered 'Fxll'" in start_failure(server_kind, tmp_path)


def refusal(client: OfficialClient, spec: Any) -> str:
    try:
        return str(outputs(client.predict(spec, {"x": X})))
    except grpc.RpcError as error:
        return f"{error.code().name}: {error.details()}"
