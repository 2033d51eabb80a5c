# syntax=docker/dockerfile:1.10
# The exporters, the config writers and the client, without a Python on the host:
#   docker build -f docker/exporter.Dockerfile -t impasto/exporter:2.20.0 .
# Its TensorFlow is the one of constraints.txt, never newer than the server's.
FROM python:3.12.11-slim-bookworm AS build
WORKDIR /src
# Constrains the build backends as well, which -c alone does not.
ENV PIP_CONSTRAINT=/src/constraints.txt
COPY constraints.txt ./
COPY client client
COPY export export
COPY serving serving
RUN python -m venv /opt/impasto \
    && /opt/impasto/bin/pip install --no-cache-dir './client[cli]' ./export ./serving

FROM python:3.12.11-slim-bookworm
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
