# The server with the models and their configuration inside, for places without a bucket or a shared disk:
#   docker build -f docker/models.Dockerfile -t registry.example.com/impasto/models:2.21.0-1 .
#   on the processor: --build-arg SERVING=tensorflow/serving:2.21.0 --build-arg DETERMINISTIC=0
# docker/config comes from `impasto-serving config`; its base paths start with /models. Run it on a network of its own and
# publish 8500 alone (never -P): docs/rest.md says why.
ARG SERVING=tensorflow/serving:2.21.0-gpu
FROM ${SERVING}
# The same call gives the same bits on a GPU; 0 for speed. docker/README.md, "Results that repeat".
ARG DETERMINISTIC=1
COPY models /models
COPY docker/config /config
COPY docker/serving/health.sh /opt/impasto/health.sh
ENV TF_FORCE_GPU_ALLOW_GROWTH=true \
    TF_DETERMINISTIC_OPS=${DETERMINISTIC} \
    CUDA_CACHE_PATH=/tmp/cuda \
    CUDA_CACHE_MAXSIZE=268435456
USER 65532:65532
HEALTHCHECK --start-period=10m --start-interval=2s --interval=30s --timeout=5s --retries=3 \
    CMD ["/bin/bash", "/opt/impasto/health.sh"]
ENTRYPOINT ["/usr/bin/tensorflow_model_server"]
CMD ["--port=8500", \
     "--rest_api_port=8501", \
     "--rest_api_num_threads=4", \
     "--model_config_file=/config/models.config", \
     "--model_config_file_poll_wait_seconds=10", \
     "--allow_version_labels_for_unavailable_models=true", \
     "--file_system_poll_wait_seconds=10", \
     "--num_load_threads=1", \
     "--max_num_load_retries=3", \
     "--load_retry_interval_micros=1000000", \
     "--tensorflow_session_config_file=/config/session.config", \
     "--monitoring_config_file=/config/monitoring.config", \
     "--enable_grpc_healthcheck_service=true", \
     "--enable_serialization_as_tensor_content=true", \
     "--grpc_max_threads=256", \
     "--grpc_channel_arguments=grpc.max_connection_age_ms=30000,grpc.http2.min_ping_interval_without_data_ms=30000"]
