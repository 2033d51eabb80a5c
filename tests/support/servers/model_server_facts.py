"""What tensorflow_model_server 2.21 knows: its flags and the metrics that it exports.

The flags are those of the flag list in `tensorflow_serving/model_servers/main.cc` (Apache License 2.0), the metrics
those that `servables/tensorflow/util.cc` and `saved_model_warmup_util.cc` register (batching has more, but no server
that is shipped here batches); `util/prometheus_exporter.cc` writes `/` as `:` and gives histograms three suffixes.
"""

from __future__ import annotations

from typing import Final

FLAGS: Final = {
    "allow_version_labels_for_unavailable_models": "bool",
    "batching_parameters_file": "string",
    "enable_batching": "bool",
    "enable_grpc_healthcheck_service": "bool",
    "enable_model_warmup": "bool",
    "enable_per_model_batching_parameters": "bool",
    "enable_profiler": "bool",
    "enable_serialization_as_tensor_content": "bool",
    "enable_signature_method_name_check": "bool",
    "file_system_poll_wait_seconds": "int32",
    "flush_filesystem_caches": "bool",
    "grpc_channel_arguments": "string",
    "grpc_max_threads": "int32",
    "grpc_socket_path": "string",
    "load_retry_interval_micros": "int64",
    "max_num_load_retries": "int32",
    "mixed_precision": "string",
    "model_base_path": "string",
    "model_config_file": "string",
    "model_config_file_poll_wait_seconds": "int32",
    "model_name": "string",
    "monitoring_config_file": "string",
    "num_load_threads": "int32",
    "num_request_iterations_for_warmup": "int32",
    "num_tflite_interpreters_per_pool": "int32",
    "num_tflite_pools": "int32",
    "num_unload_threads": "int32",
    "per_process_gpu_memory_fraction": "float",
    "platform_config_file": "string",
    "port": "int32",
    "prefer_tflite_model": "bool",
    "remove_unused_fields_from_bundle_metagraph": "bool",
    "rest_api_enable_cors_support": "bool",
    "rest_api_num_threads": "int32",
    "rest_api_port": "int32",
    "rest_api_timeout_in_ms": "int32",
    "saved_model_tags": "string",
    "skip_initialize_tpu": "bool",
    "ssl_config_file": "string",
    "tensorflow_inter_op_parallelism": "int64",
    "tensorflow_intra_op_parallelism": "int64",
    "tensorflow_session_config_file": "string",
    "tensorflow_session_parallelism": "int64",
    "thread_pool_factory_config_file": "string",
    "use_alts_credentials": "bool",
    "version": "bool",
    "xla_cpu_compilation_enabled": "bool",
    "xla_gpu_compilation_enabled": "bool",
}
"""The kind of each flag's value, by its name, as --help says it."""

CHANNEL_ARGUMENTS: Final = frozenset(
    {
        "grpc.http2.min_ping_interval_without_data_ms",
        "grpc.keepalive_permit_without_calls",
        "grpc.keepalive_time_ms",
        "grpc.keepalive_timeout_ms",
        "grpc.max_connection_age_grace_ms",
        "grpc.max_connection_age_ms",
        "grpc.max_connection_idle_ms",
    }
)
"""The keys of `grpc/impl/channel_arg_names.h` that make sense for a server's connections."""

_COUNTERS: Final = {
    ":tensorflow:serving:request_count": {"model_name", "status"},
}
_HISTOGRAMS: Final = {
    ":tensorflow:serving:request_latency": {"model_name", "API", "entrypoint"},
    ":tensorflow:serving:runtime_latency": {"model_name", "API", "runtime"},
    ":tensorflow:serving:model_warmup_latency": {"model_path", "status"},
}
_SCRAPED: Final = {"job", "instance", "namespace", "pod"}

METRICS: Final[dict[str, set[str]]] = {
    "up": _SCRAPED,
    **{name: labels | _SCRAPED for name, labels in _COUNTERS.items()},
    **{f"{name}_bucket": labels | {"le"} | _SCRAPED for name, labels in _HISTOGRAMS.items()},
    **{
        f"{name}_{suffix}": labels | _SCRAPED
        for name, labels in _HISTOGRAMS.items()
        for suffix in ("sum", "count")
    },
}
"""Every series by name, with the labels that it may carry, those of the scrape included."""


def flags_of(arguments: list[str]) -> dict[str, str]:
    """The flags of a command line by name; ValueError if an argument is no `--name=value` or a name comes twice."""
    flags: dict[str, str] = {}
    for argument in arguments:
        name, equals, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or not equals:
            raise ValueError(f"{argument!r} is not --name=value")
        if name in flags:
            raise ValueError(f"--{name} is given twice")
        flags[name] = value
    return flags


def channel_arguments_of(flags: dict[str, str]) -> dict[str, int]:
    """The gRPC channel arguments among the flags, by key."""
    pairs = (pair.partition("=") for pair in flags["grpc_channel_arguments"].split(","))
    return {key: int(value) for key, _, value in pairs}
