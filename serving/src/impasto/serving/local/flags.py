"""The flags of tensorflow_model_server: the kinds of their values, and those that have no effect here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import click

if TYPE_CHECKING:
    Kind: TypeAlias = click.ParamType[Any]  # only newer versions of click take the argument when they run
else:
    Kind = click.ParamType


class _Integer(Kind):
    def __init__(self, bits: int) -> None:
        self.name = f"int{bits}"
        self._end = 2 ** (bits - 1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            number = int(value)
        except ValueError:
            self.fail(f"{value!r} is not a whole number", param, ctx)
        if not -self._end <= number < self._end:
            self.fail(f"{value!r} is beyond {self.name}, {-self._end} to {self._end - 1}", param, ctx)
        return number


class _Float(Kind):
    name = "float"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number", param, ctx)


class _Bool(Kind):
    name = "bool"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bool:
        text = str(value).lower()
        if text not in ("true", "1", "false", "0"):
            self.fail(f"{value!r} is not true or false", param, ctx)
        return text in ("true", "1")


INT32: Final = _Integer(32)
INT64: Final = _Integer(64)
FLOAT: Final = _Float()
BOOL: Final = _Bool()
STRING: Final = click.STRING
"""The kinds as `tensorflow_model_server --help` names them."""


class Ignored(NamedTuple):
    """A flag that is accepted, so that command lines of tensorflow_model_server work, and has no effect."""

    kind: Kind
    reason: str


_BATCHING: Final = "each request runs alone, with the same answer"
_REST: Final = "there is no REST API"
_THREADS: Final = "TensorFlow itself chooses its numbers of threads"
_LITE: Final = "models of TensorFlow Lite are not served"
_XLA: Final = "what a model compiles with XLA is always compiled"

IGNORED: Final = {
    "batching_parameters_file": Ignored(STRING, _BATCHING),
    "enable_batching": Ignored(BOOL, _BATCHING),
    "enable_per_model_batching_parameters": Ignored(BOOL, _BATCHING),
    "enable_profiler": Ignored(BOOL, "there is no profiler"),
    "enable_signature_method_name_check": Ignored(
        BOOL, "only Predict is answered, which takes any method name"
    ),
    "flush_filesystem_caches": Ignored(BOOL, "there is nothing to flush"),
    "mixed_precision": Ignored(STRING, "models run in the precision in which they were exported"),
    "monitoring_config_file": Ignored(STRING, "there are no metrics"),
    "num_load_threads": Ignored(INT32, "versions load one after the other"),
    "num_request_iterations_for_warmup": Ignored(INT32, "each warm-up record runs once"),
    "num_tflite_interpreters_per_pool": Ignored(INT32, _LITE),
    "num_tflite_pools": Ignored(INT32, _LITE),
    "num_unload_threads": Ignored(INT32, "each version unloads in a thread of its own"),
    "per_process_gpu_memory_fraction": Ignored(FLOAT, "a GPU's memory is taken as it is needed"),
    "platform_config_file": Ignored(STRING, "TensorFlow is the only platform"),
    "prefer_tflite_model": Ignored(BOOL, _LITE),
    "remove_unused_fields_from_bundle_metagraph": Ignored(BOOL, "it would change no answer"),
    "rest_api_enable_cors_support": Ignored(BOOL, _REST),
    "rest_api_num_threads": Ignored(INT32, _REST),
    "rest_api_port": Ignored(INT32, _REST),
    "rest_api_timeout_in_ms": Ignored(INT32, _REST),
    "saved_model_tags": Ignored(STRING, "the part of a SavedModel with the tag serve is loaded"),
    "skip_initialize_tpu": Ignored(BOOL, "no TPU is used"),
    "tensorflow_inter_op_parallelism": Ignored(INT64, _THREADS),
    "tensorflow_intra_op_parallelism": Ignored(INT64, _THREADS),
    "tensorflow_session_config_file": Ignored(
        STRING, "sessions are configured to take a GPU's memory as it is needed"
    ),
    "tensorflow_session_parallelism": Ignored(INT64, _THREADS),
    "thread_pool_factory_config_file": Ignored(STRING, _THREADS),
    "use_alts_credentials": Ignored(BOOL, "there is no ALTS; --ssl_config_file encrypts"),
    "xla_cpu_compilation_enabled": Ignored(BOOL, _XLA),
    "xla_gpu_compilation_enabled": Ignored(BOOL, _XLA),
}
"""The ignored flags by name."""


def check_ignored(values: dict[str, Any]) -> None:
    """Refuse the combinations of ignored flags that tensorflow_model_server refuses, with a UsageError."""
    if values["batching_parameters_file"] and not values["enable_batching"]:
        raise click.UsageError("--batching_parameters_file needs --enable_batching.")
    if values["use_alts_credentials"] and values["ssl_config_file"] is not None:
        raise click.UsageError("--use_alts_credentials and --ssl_config_file exclude each other.")
    threads = [f"tensorflow_{kind}_parallelism" for kind in ("session", "intra_op", "inter_op")]
    if all((values[name] or 0) > 0 for name in threads):
        raise click.UsageError(f"--{' and --'.join(threads)} exclude each other.")
