"""What tensorflow_model_server 2.20 knows: its flags and the metrics that it exports.

The flags are those of the flag list in `tensorflow_serving/model_servers/main.cc` (Apache License 2.0), the metrics
those that `servables/tensorflow/util.cc` and `saved_model_warmup_util.cc` register (batching has more, but no server
that is shipped here batches); `util/prometheus_exporter.cc` writes `/` as `:` and gives histograms three suffixes.
"""

from __future__ import annotations

from typing import Final

FLAGS: Final = frozenset(
    {
        "allow_version_labels_for_unavailable_models",
        "batching_parameters_file",
        "enable_batching",
        "enable_grpc_healthcheck_service",
        "enable_model_warmup",
        "enable_per_model_batching_parameters",
        "enable_profiler",
        "enable_serialization_as_tensor_content",
        "enable_signature_method_name_check",
        "file_system_poll_wait_seconds",
        "flush_filesystem_caches",
        "grpc_channel_arguments",
        "grpc_max_threads",
        "grpc_socket_path",
        "load_retry_interval_micros",
        "max_num_load_retries",
        "mixed_precision",
        "model_base_path",
        "model_config_file",
        "model_config_file_poll_wait_seconds",
        "model_name",
        "monitoring_config_file",
        "num_load_threads",
        "num_request_iterations_for_warmup",
        "num_tflite_interpreters_per_pool",
        "num_tflite_pools",
        "num_unload_threads",
        "per_process_gpu_memory_fraction",
        "platform_config_file",
        "port",
        "prefer_tflite_model",
        "remove_unused_fields_from_bundle_metagraph",
        "rest_api_enable_cors_support",
        "rest_api_num_threads",
        "rest_api_port",
        "rest_api_timeout_in_ms",
        "saved_model_tags",
        "skip_initialize_tpu",
        "ssl_config_file",
        "tensorflow_inter_op_parallelism",
        "tensorflow_intra_op_parallelism",
        "tensorflow_session_config_file",
        "tensorflow_session_parallelism",
        "thread_pool_factory_config_file",
        "use_alts_credentials",
        "version",
        "xla_cpu_compilation_enabled",
        "xla_gpu_compilation_enabled",
    }
)

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
