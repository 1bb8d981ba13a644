# syntax=docker/dockerfile:1
# One environment, three images:
#   docker build --target pipeline -t millrace .            a pipeline job (the default)
#   docker build --target beam-worker -t millrace-worker .  Beam's --sdk_container_image
#   docker build --target server -t millrace-server .       the embedded model server

ARG PYTHON=3.12
ARG BEAM=2.77.0

FROM apache/beam_python${PYTHON}_sdk:${BEAM} AS beam

FROM python:${PYTHON}-slim AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_CACHE_DIR=/var/cache/pip
RUN python -m venv /opt/millrace
# The pinned dependencies are a layer of their own: changed code installs in seconds.
COPY requirements.lock /src/
RUN --mount=type=cache,target=/var/cache/pip \
    /opt/millrace/bin/pip install --require-hashes -r /src/requirements.lock
COPY pyproject.toml setup.py README.md LICENSE /src/
COPY serving /src/serving
COPY components /src/components
COPY pipeline /src/pipeline
COPY millrace /src/millrace
RUN /opt/millrace/bin/pip install --no-deps --no-build-isolation /src

FROM python:${PYTHON}-slim AS runtime
RUN useradd --create-home --uid 10001 millrace \
    && install -d -o millrace -g millrace /data
COPY --from=builder /opt/millrace /opt/millrace
ENV PATH=/opt/millrace/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TF_CPP_MIN_LOG_LEVEL=2 \
    MILLRACE_ROOT=/data
USER 10001
WORKDIR /home/millrace
VOLUME /data

FROM runtime AS beam-worker
COPY --from=beam /opt/apache/beam /opt/apache/beam
ENTRYPOINT ["/opt/apache/beam/boot"]

FROM runtime AS server
EXPOSE 8500
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "from millrace import Client; raise SystemExit(not Client('127.0.0.1:8500').healthy(timeout=4))"]
ENTRYPOINT ["millrace-model-server", "--bind_address=0.0.0.0", "--enable_grpc_healthcheck_service"]
CMD ["--port=8500", "--model_name=digits", "--model_base_path=/data/serving/digits"]

FROM runtime AS pipeline
HEALTHCHECK --interval=60s --timeout=30s CMD ["millrace", "doctor"]
ENTRYPOINT ["millrace"]
CMD ["--help"]
