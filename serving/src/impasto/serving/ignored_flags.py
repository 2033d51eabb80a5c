"""The flags of tensorflow_model_server that the local server takes, so that its command lines work, and ignores."""

from __future__ import annotations

from typing import Final, NamedTuple

from impasto.serving.flag_kinds import BOOL, FLOAT, INT32, INT64, STRING, Kind


class Ignored(NamedTuple):
    """A flag without an effect here."""

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
    "mixed_precision": Ignored(STRING, "models run in the precision that they were exported with"),
    "monitoring_config_file": Ignored(STRING, "there are no metrics"),
    "num_load_threads": Ignored(INT32, "versions load one after the other"),
    "num_request_iterations_for_warmup": Ignored(INT32, "each warm-up record runs once"),
    "num_tflite_interpreters_per_pool": Ignored(INT32, _LITE),
    "num_tflite_pools": Ignored(INT32, _LITE),
    "num_unload_threads": Ignored(INT32, "each version unloads in a thread of its own"),
    "per_process_gpu_memory_fraction": Ignored(FLOAT, "memory of a GPU is taken as it is needed"),
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
"""Kind and reason by the flag's name."""
