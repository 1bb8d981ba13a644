# syntax=docker/dockerfile:1
# `make image` builds these; ENGINE, TARGETS and BUILD choose the engine, the targets and arguments.
#   pipeline      a pipeline job (the default)
#   beam-worker   Beam's --sdk_container_image
#   server        the embedded model server, without Beam
#   client        the light client, without TensorFlow, for scripts of yours
# All run on CPUs. For GPUs: --build-arg LOCK=requirements.lock, on a PYTHON_IMAGE that has CUDA. On
# another processor than x86-64 that lock is needed as well.

ARG PYTHON=3.12
ARG BEAM=2.77.0
# Any images with that Python on the path and its `venv`; and one with Beam's /opt/apache/beam/boot.
ARG PYTHON_IMAGE=python:${PYTHON}-slim
ARG BEAM_IMAGE=apache/beam_python${PYTHON}_sdk:${BEAM}
# An image with no more than a Python, and an image of the same Python with pip to fill it.
ARG CLIENT_IMAGE=gcr.io/distroless/python3-debian12
ARG CLIENT_BUILD_IMAGE=python:3.11-slim

FROM ${BEAM_IMAGE} AS beam

FROM scratch AS source
COPY pyproject.toml setup.py README.md LICENSE /
COPY serving /serving
COPY components /components
COPY pipeline /pipeline
COPY millrace /millrace

FROM ${PYTHON_IMAGE} AS environment
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_CACHE_DIR=/var/cache/pip
COPY deploy/prune.sh /
RUN python3 -m venv /opt/millrace

# The pinned dependencies are a layer of their own: changed code installs in seconds.
FROM environment AS full
ARG LOCK=requirements-cpu.lock
COPY ${LOCK} /requirements.lock
RUN --mount=type=cache,target=/var/cache/pip \
    /opt/millrace/bin/pip install --no-deps --require-hashes -r /requirements.lock \
    && /prune.sh /opt/millrace
RUN --mount=type=bind,from=source,target=/src,rw \
    /opt/millrace/bin/pip install --no-deps --no-build-isolation /src

FROM environment AS serving-only
COPY requirements-serving.lock /
RUN --mount=type=cache,target=/var/cache/pip \
    /opt/millrace/bin/pip install --require-hashes -r /requirements-serving.lock \
    && /prune.sh /opt/millrace
RUN --mount=type=bind,from=source,target=/src,rw \
    /opt/millrace/bin/pip install --no-deps --no-build-isolation /src \
    && /opt/millrace/bin/pip uninstall --yes pip

FROM ${CLIENT_BUILD_IMAGE} AS client-only
COPY deploy/prune.sh requirements-client.lock /
RUN python3 -m venv /opt/client \
    && /opt/client/bin/pip install --require-hashes -r /requirements-client.lock \
    && /prune.sh /opt/client
RUN --mount=type=bind,from=source,target=/src,rw \
    /opt/client/bin/pip install --no-deps --no-build-isolation /src/serving/client_distribution \
    && /opt/client/bin/pip uninstall --yes setuptools pip

FROM ${CLIENT_IMAGE} AS client
COPY --from=client-only /opt/client/lib/python3*/site-packages /opt/client
ENV PYTHONPATH=/opt/client \
    PYTHONUNBUFFERED=1
USER 10001
ENTRYPOINT ["/usr/bin/python3"]

FROM ${PYTHON_IMAGE} AS runtime
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
# `boot` would make an environment in /opt/apache, where user 10001 cannot write, without millrace.
ENV RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
ENTRYPOINT ["/opt/apache/beam/boot"]

FROM full-runtime AS pipeline
HEALTHCHECK --interval=60s --timeout=30s CMD ["millrace", "doctor"]
ENTRYPOINT ["millrace"]
CMD ["--help"]
