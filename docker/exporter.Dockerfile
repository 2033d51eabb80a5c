# The exporters, the config writers and the client, without a Python on the host:
#   docker build -f docker/exporter.Dockerfile -t impasto/exporter:2.21.0 .
# Its TensorFlow is the one of constraints.txt, never newer than the server's.
FROM python:3.12.11-slim-bookworm@sha256:519591d6871b7bc437060736b9f7456b8731f1499a57e22e6c285135ae657bf7 AS build
WORKDIR /src
# Constrains the build backends as well, which -c alone does not.
ENV PIP_CONSTRAINT=/src/constraints.txt
COPY constraints.txt ./
COPY client client
COPY export export
COPY serving serving
RUN python -m venv /opt/impasto \
    && /opt/impasto/bin/pip install --no-cache-dir './client[cli]' './export[package]' ./serving

FROM python:3.12.11-slim-bookworm@sha256:519591d6871b7bc437060736b9f7456b8731f1499a57e22e6c285135ae657bf7
COPY --from=build /opt/impasto /opt/impasto
# Whatever libraries cache (weights, modules, bytecode) belongs under /tmp: all else is read-only.
ENV PATH=/opt/impasto/bin:$PATH \
    HOME=/tmp \
    KERAS_HOME=/tmp/keras \
    TFHUB_CACHE_DIR=/tmp/tfhub \
    PYTHONDONTWRITEBYTECODE=1 \
    TF_CPP_MIN_LOG_LEVEL=2
WORKDIR /work
USER 65532:65532
CMD ["impasto-export", "--help"]
