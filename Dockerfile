# syntax=docker/dockerfile:1
# Two environments, three images:
#   docker build --target pipeline -t millrace .            a pipeline job (the default)
#   docker build --target beam-worker -t millrace-worker .  Beam's --sdk_container_image
#   docker build --target server -t millrace-server .       the embedded model server, on CPUs

ARG PYTHON=3.12
ARG BEAM=2.77.0

FROM apache/beam_python${PYTHON}_sdk:${BEAM} AS beam

FROM scratch AS source
COPY pyproject.toml setup.py README.md LICENSE /
COPY serving /serving
COPY components /components
COPY pipeline /pipeline
COPY millrace /millrace

FROM python:${PYTHON}-slim AS environment
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_CACHE_DIR=/var/cache/pip
RUN python -m venv /opt/millrace

# The pinned dependencies are a layer of their own: changed code installs in seconds.
FROM environment AS full
COPY requirements.lock /
RUN --mount=type=cache,target=/var/cache/pip \
    /opt/millrace/bin/pip install --require-hashes -r /requirements.lock
RUN --mount=type=bind,from=source,target=/src,rw \
    /opt/millrace/bin/pip install --no-deps --no-build-isolation /src

FROM environment AS serving-only
COPY requirements-serving.lock /
RUN --mount=type=cache,target=/var/cache/pip \
    /opt/millrace/bin/pip install --require-hashes -r /requirements-serving.lock
RUN --mount=type=bind,from=source,target=/src,rw \
    /opt/millrace/bin/pip install --no-deps --no-build-isolation /src

FROM python:${PYTHON}-slim AS runtime
RUN useradd --create-home --uid 10001 millrace \
    && install -d -o millrace -g millrace /data
ENV PATH=/opt/millrace/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TF_CPP_MIN_LOG_LEVEL=2 \
    MILLRACE_ROOT=/data
USER 10001
WORKDIR /home/millrace
VOLUME /data

FROM runtime AS server
COPY --from=serving-only /opt/millrace /opt/millrace
EXPOSE 8500
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "from millrace import Client; raise SystemExit(not Client('127.0.0.1:8500').healthy(timeout=4))"]
ENTRYPOINT ["millrace-model-server", "--bind_address=0.0.0.0", "--enable_grpc_healthcheck_service"]
CMD ["--port=8500", "--model_name=digits", "--model_base_path=/data/serving/digits"]

FROM runtime AS full-runtime
COPY --from=full /opt/millrace /opt/millrace

FROM full-runtime AS beam-worker
COPY --from=beam /opt/apache/beam /opt/apache/beam
ENTRYPOINT ["/opt/apache/beam/boot"]

FROM full-runtime AS pipeline
HEALTHCHECK --interval=60s --timeout=30s CMD ["millrace", "doctor"]
ENTRYPOINT ["millrace"]
CMD ["--help"]
