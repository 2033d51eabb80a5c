# Studio, the page in the browser for a server's models:
#   docker build -f docker/studio.Dockerfile -t impasto/studio:0.1.0 .
#   docker run --rm --read-only --tmpfs /tmp -p 127.0.0.1:8600:8600 -e IMPASTO_SERVER=gpu-box:8500 impasto/studio:0.1.0
FROM python:3.12.11-slim-bookworm@sha256:519591d6871b7bc437060736b9f7456b8731f1499a57e22e6c285135ae657bf7 AS build
WORKDIR /src
# Constrains the build backends as well, which -c alone does not.
ENV PIP_CONSTRAINT=/src/constraints.txt
COPY constraints.txt ./
COPY client client
RUN python -m venv /opt/impasto \
    && /opt/impasto/bin/pip install --no-cache-dir './client[studio]'

FROM python:3.12.11-slim-bookworm@sha256:519591d6871b7bc437060736b9f7456b8731f1499a57e22e6c285135ae657bf7
COPY --from=build /opt/impasto /opt/impasto
ENV PATH=/opt/impasto/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /tmp
USER 65532:65532
EXPOSE 8600
HEALTHCHECK --start-period=1m --interval=10s --timeout=5s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8600/health', timeout=3)"]
ENTRYPOINT ["impasto", "studio", "--host", "0.0.0.0"]
