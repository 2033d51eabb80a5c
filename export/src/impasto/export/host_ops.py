"""The ops of a graph that a GPU cannot run, by TensorFlow's own registry of kernels.

A server with a GPU places such an op on the processor. For arithmetic on shapes that is as it should be; for a picture
it costs two copies across the bus and the processor's time, at each run. The registry tells without a GPU: TensorFlow's
package for Linux on x86 has the GPU kernels registered wherever it runs.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any, Final

import tensorflow as tf
from tensorflow.core.framework import types_pb2

# Neither has a public name.
from tensorflow.python.framework import kernels, op_def_registry

from impasto.client.repository.manifest import HostOps
from impasto.export.contract import read_meta_graph, signature_defs
from impasto.export.errors import ExportError
from impasto.export.stateless import reached_nodes

# DEFAULT is registered for whatever device there is.
_ON_A_GPU: Final = frozenset({"GPU", "DEFAULT"})

_PICTURES: Final = frozenset(
    {
        *("AdjustContrastv2", "AdjustHue", "AdjustSaturation", "HSVToRGB", "RGBToHSV"),
        *("AvgPool", "AvgPoolGrad", "MaxPool", "MaxPoolGrad", "MaxPoolV2", "MaxPoolWithArgmax"),
        *("BiasAdd", "FusedBatchNormV3", "Conv2D", "Conv2DBackpropFilter", "Conv2DBackpropInput", "Conv3D"),
        *("CropAndResize", "CropAndResizeGradBoxes", "CropAndResizeGradImage", "DepthwiseConv2dNative"),
        *("DepthToSpace", "SpaceToDepth", "Dilation2D", "ExtractImagePatches", "MirrorPad", "MirrorPadGrad"),
        *("DrawBoundingBoxes", "DrawBoundingBoxesV2", "ExtractGlimpse", "ExtractGlimpseV2", "RandomCrop"),
        *("FractionalAvgPool", "FractionalAvgPoolGrad", "FractionalMaxPool", "FractionalMaxPoolGrad"),
        *("FusedPadConv2D", "FusedResizeAndPadConv2D", "ImageProjectiveTransformV2"),
        *("ImageProjectiveTransformV3", "ResizeArea", "ResizeBicubic", "ResizeBicubicGrad"),
        *("ResizeBilinear", "ResizeBilinearGrad", "ResizeNearestNeighbor", "ResizeNearestNeighborGrad"),
        *("ScaleAndTranslate", "ScaleAndTranslateGrad", "QuantizeV2", "Dequantize", "Requantize"),
    }
)
"""Ops on pictures and feature maps: those without any GPU kernel, and those that have one for some dtypes only."""

_PICTURE_FAMILIES: Final = ("Quantized", "UniformQuantized", "UniformDequantize")

_HARMLESS: Final = frozenset(
    {
        *(
            "AsString",
            "Assert",
            "Print",
            "PrintV2",
            "Timestamp",
            "StringFormat",
            "StringJoin",
            "StringToNumber",
        ),
        *(
            "DecodeAndCropJpeg",
            "DecodeBase64",
            "DecodeBmp",
            "DecodeCSV",
            "DecodeGif",
            "DecodeImage",
            "DecodeJpeg",
        ),
        *("DecodeJSONExample", "DecodePaddedRaw", "DecodePng", "DecodeRaw", "DecodeWebP", "EncodeBase64"),
        *("EncodeJpeg", "EncodeJpegVariableQuality", "EncodePng", "ExtractJpegShape", "ParseExample"),
        *("ParseExampleV2", "ParseSequenceExample", "ParseSequenceExampleV2", "ParseSingleExample"),
        *("ParseSingleSequenceExample", "ParseTensor", "SerializeTensor", "HashTable", "HashTableV2"),
        *(
            "LookupTableFind",
            "LookupTableFindV2",
            "LookupTableSize",
            "LookupTableSizeV2",
            "MutableHashTableV2",
        ),
    }
)
"""Checks, strings, tables and the coding of files, whatever their dtypes."""

_NO_PIXELS: Final = frozenset(
    {
        types_pb2.DT_BOOL,
        types_pb2.DT_INT32,
        types_pb2.DT_INT64,
        types_pb2.DT_RESOURCE,
        types_pb2.DT_STRING,
        types_pb2.DT_VARIANT,
    }
)
"""Dtypes of sizes, indices and words: an op on these alone is no work on a picture."""


class HostOpsError(ExportError):
    """A graph whose large tensors a server with a GPU would move to its processor."""


def check_host_ops(model: str, ops: HostOps | None) -> None:
    """Check that a GPU can run what a model of Impasto's own does with pictures.

    `others` are not refused: each may work on a few numbers, which only a person can tell. Where nobody could look,
    nothing is refused either.

    Raises:
        HostOpsError: it has an op on pictures without a GPU kernel.
    """
    if ops is not None and ops.pictures:
        raise HostOpsError(
            f"{model!r} works on pictures with ops that have no GPU kernel in TensorFlow: {', '.join(ops.pictures)}. A "
            "server with a GPU would run them on its processor, and move each picture there and back: replace them, or "
            "publish with --allow-host-ops if no server of this model has a GPU, or its pictures are small"
        )


def host_ops(directory: str | os.PathLike[str]) -> HostOps | None:
    """Return the ops without a GPU kernel that the signatures of a SavedModel reach, through every function.

    Returns:
        None where this TensorFlow knows no GPU kernels, as on a Mac.

    Raises:
        SavedModelError: there is no SavedModel.
    """
    if not _on_a_gpu("Conv2D", (("T", (types_pb2.DT_FLOAT,)),)):
        return None
    graph = read_meta_graph(directory).graph_def
    uses = {
        (node.op, _types(node))
        for signature in signature_defs(directory).values()
        for _, node in reached_nodes(graph, signature)
    }
    found: dict[str, set[str]] = {"pictures": set(), "others": set(), "harmless": set()}
    for op, types in uses:
        if kernels.get_registered_kernels_for_op(op).kernel and not _on_a_gpu(op, types):
            words = [op, *(tf.as_dtype(dtype).name for _, dtypes in types for dtype in dtypes)]
            found[_kind(op, types)].add(" ".join(words))
    return HostOps(**{kind: tuple(sorted(entries)) for kind, entries in found.items()})


_Types = tuple[tuple[str, tuple[int, ...]], ...]
"""The dtypes of a node by the name of the attribute, as far as the graph fixes them."""


def _types(node: Any) -> _Types:
    definition = op_def_registry.get(node.op)
    if definition is None:
        return ()
    found: list[tuple[str, tuple[int, ...]]] = []
    for attribute in definition.attr:
        if attribute.type not in ("type", "list(type)"):
            continue
        # An exporter may leave out what is the default.
        value = node.attr.get(attribute.name, attribute.default_value)
        if value.HasField("list"):
            found.append((attribute.name, tuple(value.list.type)))
        elif value.type:  # a function's own parameter has none
            found.append((attribute.name, (value.type,)))
    return tuple(found)


@cache
def _on_a_gpu(op: str, types: _Types) -> bool:
    """Return whether a GPU has a kernel of the op for these dtypes."""
    given = dict(types)
    for kernel in kernels.get_registered_kernels_for_op(op).kernel:
        if kernel.device_type not in _ON_A_GPU or kernel.label:  # a label must be asked for
            continue
        if all(
            set(given.get(limit.name, ())) <= set(limit.allowed_values.list.type)
            for limit in kernel.constraint
        ):
            return True
    return False


def _kind(op: str, types: _Types) -> str:
    if op in _PICTURES or op.startswith(_PICTURE_FAMILIES):
        return "pictures"
    if op in _HARMLESS or all(dtype in _NO_PIXELS for _, dtypes in types for dtype in dtypes):
        return "harmless"
    return "others"
