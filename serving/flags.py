"""The flags of `tensorflow_model_server`, under the same names.

Flags that this server does not support are recognised and refused by name, so that a command line
that works here works there too and no flag is silently ignored.
Source: tensorflow_serving/model_servers/main.cc.
"""

import argparse
import dataclasses
import functools
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from etils.epath import Path

from millrace.serving import config, cores
from millrace.serving.errors import ServerError
from millrace.serving.lifecycle import ModelConfig


@dataclasses.dataclass(frozen=True)
class Options:
    """The values of the flags, under their names."""

    port: int = 8500
    bind_address: str = "127.0.0.1"
    grpc_socket_path: str = ""
    grpc_channel_arguments: str = ""
    grpc_max_threads: int = 4 * cores.available()
    grpc_max_queued_requests: int = 1000
    rest_api_port: int = 0
    rest_api_num_threads: int = 4 * cores.available()
    rest_api_timeout_in_ms: int = 30_000
    rest_api_max_queued_requests: int = 1000
    rest_api_max_body_bytes: int = 2**31 - 1
    rest_api_idle_timeout_seconds: int = 75
    rest_api_enable_cors_support: bool = False
    monitoring_config_file: str = ""
    ssl_config_file: str = ""
    api_token_file: str = ""
    workers: int = 1
    enable_grpc_healthcheck_service: bool = False
    enable_grpc_reflection: bool = False
    enable_profiler: bool = False
    model_name: str = "default"
    model_base_path: str = ""
    model_config_file: str = ""
    model_config_file_poll_wait_seconds: int = 0
    allow_version_labels_for_unavailable_models: bool = False
    enable_batching: bool = False
    batching_parameters_file: str = ""
    enable_per_model_batching_parameters: bool = False
    file_system_poll_wait_seconds: int = 1
    max_num_load_retries: int = 5
    load_retry_interval_micros: int = 60_000_000
    num_load_threads: int = 1
    num_unload_threads: int = 0
    tensorflow_session_parallelism: int = 0
    tensorflow_intra_op_parallelism: int = 0
    tensorflow_inter_op_parallelism: int = 0
    tensorflow_session_config_file: str = ""
    per_process_gpu_memory_fraction: float = 0.0
    enable_model_warmup: bool = True
    num_request_iterations_for_warmup: int = 0
    enable_serialization_as_tensor_content: bool = False
    enable_signature_method_name_check: bool = False
    saved_model_tags: str = "serve"
    prefer_tflite_model: bool = False
    num_tflite_pools: int = cores.available()
    num_tflite_interpreters_per_pool: int = 1
    version: bool = False

    def models(self) -> list[ModelConfig]:
        """Returns the models to serve."""
        if self.model_config_file:
            return config.read(Path(self.model_config_file))
        return [config.single(self.model_name, self.model_base_path)]


_HELP = {
    "port": "TCP port for gRPC; 0 disables it",
    "bind_address": "address to listen on; 0.0.0.0 or [::] for every network, e.g. in a container "
    "(the only choice of the real server)",
    "grpc_socket_path": "also listen on a UNIX socket at this path",
    "grpc_channel_arguments": "comma-separated key=value arguments for the gRPC server",
    "grpc_max_threads": "requests that may run at the same time, without those that wait in a "
    "batching queue",
    "grpc_max_queued_requests": "requests that may wait for a thread; further ones are refused as "
    "RESOURCE_EXHAUSTED (the real server refuses those for which no thread is free)",
    "rest_api_port": "TCP port for HTTP/REST; 0 disables it",
    "rest_api_num_threads": "REST requests that may run at the same time",
    "rest_api_timeout_in_ms": "milliseconds that a REST request may take after it was received, "
    "including the wait for a thread; 0 for no limit",
    "rest_api_max_queued_requests": "REST requests that may wait for a thread; further ones are "
    "refused (not in the real server)",
    "rest_api_max_body_bytes": "largest size of a REST request; gRPC has the same limit (not in "
    "the real server)",
    "rest_api_idle_timeout_seconds": "seconds without progress after which a REST connection is "
    "closed (not in the real server)",
    "rest_api_enable_cors_support": "allow scripts of other origins to use REST",
    "monitoring_config_file": "text-format MonitoringConfig: Prometheus metrics on the REST port, "
    "summed over all --workers",
    "ssl_config_file": "text-format SSLConfig: key and certificate for gRPC, client verification",
    "api_token_file": "file with a secret that requests must send as `authorization: Bearer …` "
    "(not in the real server)",
    "workers": "processes that serve the same ports (not in the real server)",
    "enable_grpc_healthcheck_service": "serve grpc.health.v1.Health",
    "enable_grpc_reflection": "serve grpc.reflection.v1alpha.ServerReflection, for tools such as "
    "grpcurl (not in the real server)",
    "enable_profiler": "serve tensorflow.ProfilerService, whose requests name a folder of this "
    "machine that a trace is written to (on by default in the real server)",
    "model_name": "name of the model; ignored with --model_config_file",
    "model_base_path": "absolute path of the folder that holds the version folders; ignored with "
    "--model_config_file",
    "model_config_file": "text-format ModelServerConfig: several models, version policies, labels",
    "model_config_file_poll_wait_seconds": "seconds between reads of --model_config_file; 0 "
    "reads it once",
    "enable_batching": "run concurrent requests as batches",
    "batching_parameters_file": "text-format BatchingParameters, for --enable_batching",
    "enable_per_model_batching_parameters": "batch only models with a batching_params.pbtxt in "
    "their folder, by that file; threads come from --batching_parameters_file",
    "allow_version_labels_for_unavailable_models": "allow labels for versions that are not "
    "available yet",
    "file_system_poll_wait_seconds": "seconds between checks for new versions; 0 checks once",
    "max_num_load_retries": "how often a failed load is retried",
    "load_retry_interval_micros": "microseconds between attempts to load",
    "num_load_threads": "models that may be loaded at the same time",
    "num_unload_threads": "models that may be unloaded at the same time; 0 for no limit",
    "tensorflow_session_parallelism": "TensorFlow threads, within and across operations; 0 for "
    "one per core",
    "tensorflow_intra_op_parallelism": "TensorFlow threads within one operation",
    "tensorflow_inter_op_parallelism": "TensorFlow threads across operations",
    "tensorflow_session_config_file": "text-format ConfigProto for the sessions; the flags for "
    "threads take precedence",
    "per_process_gpu_memory_fraction": "fraction of each GPU's memory to use; 0 leaves it to "
    "TensorFlow",
    "enable_model_warmup": "run the requests in assets.extra before serving a version",
    "num_request_iterations_for_warmup": "how often each warm-up request is run; 0 for once",
    "enable_serialization_as_tensor_content": "answer Predict in tensor_content instead of typed "
    "fields",
    "enable_signature_method_name_check": "require Classify and Regress signatures to have their "
    "method name",
    "saved_model_tags": "comma-separated tags of the graph to load",
    "prefer_tflite_model": "load model.tflite from a version's folder if there is one",
    "num_tflite_pools": "pools of interpreters for each TFLite model",
    "num_tflite_interpreters_per_pool": "interpreters in a pool, each for one request at a time",
    "version": "print the version and exit",
}

# Flags of the real server that are not supported here, with the values that change nothing.
_UNSUPPORTED = {
    "flush_filesystem_caches": ("true", "false"),
    "use_alts_credentials": ("false",),
    "platform_config_file": ("",),
    "remove_unused_fields_from_bundle_metagraph": ("true", "false"),
    "xla_cpu_compilation_enabled": ("false",),
    "xla_gpu_compilation_enabled": ("false",),
    "thread_pool_factory_config_file": ("",),
    "mixed_precision": ("",),
    "skip_initialize_tpu": ("true", "false"),
}

# The smallest valid values.
_MINIMUM = {
    "file_system_poll_wait_seconds": 0,
    "model_config_file_poll_wait_seconds": 0,
    "grpc_max_threads": 1,
    "grpc_max_queued_requests": 0,
    "rest_api_num_threads": 1,
    "rest_api_max_queued_requests": 0,
    "rest_api_max_body_bytes": 1,
    "rest_api_idle_timeout_seconds": 1,
    "num_unload_threads": 0,
    "tensorflow_session_parallelism": 0,
    "tensorflow_intra_op_parallelism": 0,
    "tensorflow_inter_op_parallelism": 0,
    "num_tflite_pools": 1,
    "num_tflite_interpreters_per_pool": 1,
    "workers": 1,
}


_TRUTHS = {"true": True, "1": True, "false": False, "0": False}
_READERS: dict[object, Callable[[str], object]] = {
    bool: lambda text: _TRUTHS[text.lower()],
    int: int,
    float: float,
    str: str,
}
_INVALID_FLAGS = 255  # the real server exits with -1


def parse(arguments: Sequence[str]) -> Options:
    """Parse a command line; `--help`, unknown flags and invalid values end the process.

    Raises:
        ServerError: a flag is not supported, or the flags conflict.
    """
    parser = _parser()
    known, unknown = parser.parse_known_args(arguments)
    if unknown:
        parser.error(f"unknown argument: {unknown[0]}")
    given = vars(known)
    for name, harmless in _UNSUPPORTED.items():
        value = given.pop(name)
        if value is not None and value.lower() not in harmless:
            raise ServerError(
                f"--{name}={value}: expected a flag that this server supports. Received: one that "
                "only `tensorflow_model_server` does. Leave it out, or use that server."
            )
    options = Options(**given)
    if not options.version:
        _check(options)
    return options


def _check(options: Options) -> None:
    if not options.model_base_path and not options.model_config_file:
        raise ServerError(
            "Both server_options.model_base_path and server_options.model_config_file are empty!"
        )
    for name in ("port", "rest_api_port"):
        port = getattr(options, name)
        if not 0 <= port <= 65535:
            raise ServerError(
                f"--{name}={port}: expected 0 to 65535. Received: {port}. Choose another."
            )
    if not options.port and not options.grpc_socket_path:
        raise ServerError(
            "--port=0: expected a port or --grpc_socket_path. Received: neither. Set one of them."
        )
    for name, minimum in _MINIMUM.items():
        if getattr(options, name) < minimum:
            raise ServerError(
                f"--{name}: expected {minimum} or more. Received: {getattr(options, name)}. "
                "Choose another."
            )
    _check_together(options)


def _check_together(options: Options) -> None:
    if options.port and options.port == options.rest_api_port:
        raise ServerError(
            f"--rest_api_port={options.port}: expected a port other than --port. Received: the "
            "same. Choose another."
        )
    if options.batching_parameters_file and not options.enable_batching:
        raise ServerError(
            "server_options.batching_parameters_file is set without setting "
            "server_options.enable_batching to true."
        )
    intra, inter = options.tensorflow_intra_op_parallelism, options.tensorflow_inter_op_parallelism
    if intra and inter and options.tensorflow_session_parallelism:
        raise ServerError(
            "Either configure server_options.tensorflow_session_parallelism or "
            "(server_options.tensorflow_intra_op_parallelism, "
            "server_options.tensorflow_inter_op_parallelism) separately. You cannot configure all."
        )
    if options.workers > 1 and options.grpc_socket_path:
        raise ServerError(
            f"--workers={options.workers}: expected one process with --grpc_socket_path. Received: "
            "several, which cannot share a UNIX socket. Leave out one of the two."
        )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Print the error and the usage, and exit with the real server's status."""
        print(f"{message}\n{self.format_usage()}", file=sys.stderr, end="")
        sys.exit(_INVALID_FLAGS)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="millrace-model-server",
        usage="%(prog)s --model_name=NAME --model_base_path=PATH [--flag=value ...]; or --help",
        description="Serves SavedModels over gRPC and REST, like tensorflow_model_server.",
        allow_abbrev=False,
    )
    for field in dataclasses.fields(Options):
        switch = {"nargs": "?", "const": True} if field.type is bool else {}
        parser.add_argument(
            f"--{field.name}",
            type=functools.partial(_value, field.name, _READERS[field.type]),
            default=field.default,
            help=f"{_HELP[field.name]} (default: {field.default!r})".replace("%", "%%"),
            **switch,  # type: ignore[arg-type]
        )
    for name in _UNSUPPORTED:
        parser.add_argument(f"--{name}", nargs="?", const="true", help=argparse.SUPPRESS)
    return parser


def _value(name: str, read: Callable[[str], object], text: str) -> object:
    """Returns the value of the flag `name`."""
    try:
        return read(text)
    except (KeyError, ValueError) as error:
        raise argparse.ArgumentTypeError(
            f"Couldn't interpret value {text} for flag {name}."
        ) from error
