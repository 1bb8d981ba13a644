"""The flags of `tensorflow_model_server`, by their own names.

Those that this server cannot honour are known, and refused by name: a command line that works
here works there, and never means less than it says. Source: tensorflow_serving/model_servers/
main.cc.
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
    """What the flags say, under their names."""

    port: int = 8500
    bind_address: str = "127.0.0.1"
    grpc_socket_path: str = ""
    grpc_channel_arguments: str = ""
    grpc_max_threads: int = 4 * cores.available()
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
        """The models to serve."""
        if self.model_config_file:
            return config.read(Path(self.model_config_file))
        return [config.single(self.model_name, self.model_base_path)]


_HELP = {
    "port": "TCP port to listen on for gRPC; none if zero",
    "bind_address": "address to listen on; 0.0.0.0 or [::] for every network (the real server's "
    "only choice), as in a container",
    "grpc_socket_path": "also listen on a UNIX socket at this path",
    "grpc_channel_arguments": "comma separated key=value arguments for the gRPC server",
    "grpc_max_threads": "requests that may run at the same time; those that wait in a batching "
    "queue are not counted",
    "rest_api_port": "TCP port to listen on for HTTP/REST; none if zero",
    "rest_api_num_threads": "REST requests that may run at the same time",
    "rest_api_timeout_in_ms": "milliseconds that a REST request may take once it has come, waiting "
    "for a thread included; 0 is any number",
    "rest_api_max_queued_requests": "REST requests that may wait for a thread; more are refused "
    "(not in the real server)",
    "rest_api_max_body_bytes": "size of the largest REST request; gRPC has the same limit (not in "
    "the real server)",
    "rest_api_idle_timeout_seconds": "seconds without progress after which a REST connection is "
    "closed (not in the real server)",
    "rest_api_enable_cors_support": "let scripts of other origins use REST",
    "monitoring_config_file": "text-format MonitoringConfig: metrics for Prometheus, on the REST "
    "port; those of all --workers together",
    "ssl_config_file": "text-format SSLConfig: key and certificate for gRPC, client verification",
    "api_token_file": "file with a secret; requests must bring it as `authorization: Bearer …` "
    "(not in the real server)",
    "workers": "processes that serve the same ports side by side (not in the real server)",
    "enable_grpc_healthcheck_service": "serve grpc.health.v1.Health",
    "enable_grpc_reflection": "serve grpc.reflection.v1alpha.ServerReflection, for tools such as "
    "grpcurl (not in the real server)",
    "enable_profiler": "serve tensorflow.ProfilerService, whose requests name the folder of this "
    "machine that a trace is written to (the real server does unless told not to)",
    "model_name": "name of the model; not used with --model_config_file",
    "model_base_path": "absolute path of the folder of version folders; not used with "
    "--model_config_file",
    "model_config_file": "text-format ModelServerConfig: several models, policies, labels",
    "model_config_file_poll_wait_seconds": "seconds between two looks at --model_config_file; 0 "
    "reads it once",
    "enable_batching": "run requests together that come at the same time",
    "batching_parameters_file": "text-format BatchingParameters, for --enable_batching",
    "enable_per_model_batching_parameters": "batch only the models with a batching_params.pbtxt "
    "in their folder, by it; threads come from --batching_parameters_file",
    "allow_version_labels_for_unavailable_models": "labels may name versions that are not "
    "available yet",
    "file_system_poll_wait_seconds": "seconds between two looks for new versions; 0 looks once",
    "max_num_load_retries": "how often a failed load is tried again",
    "load_retry_interval_micros": "microseconds between two tries of a load",
    "num_load_threads": "models that may be loaded at the same time",
    "num_unload_threads": "models that may be unloaded at the same time; 0 is any number",
    "tensorflow_session_parallelism": "threads of TensorFlow, within an operation and among them; "
    "0 is one for each core",
    "tensorflow_intra_op_parallelism": "threads of TensorFlow within one operation",
    "tensorflow_inter_op_parallelism": "threads of TensorFlow for operations side by side",
    "tensorflow_session_config_file": "text-format ConfigProto of the sessions; the flags of its "
    "threads go first",
    "per_process_gpu_memory_fraction": "part of each GPU's memory to take; 0 leaves it to "
    "TensorFlow",
    "enable_model_warmup": "run the requests in assets.extra before a version is served",
    "num_request_iterations_for_warmup": "how often each warm-up request is run; 0 is once",
    "enable_serialization_as_tensor_content": "answer Predict with tensor_content instead of typed "
    "fields",
    "enable_signature_method_name_check": "Classify and Regress ask for signatures of their own "
    "method name",
    "saved_model_tags": "comma separated tags of the graph to load",
    "prefer_tflite_model": "load model.tflite of a version's folder where there is one",
    "num_tflite_pools": "pools of interpreters of each TFLite model",
    "num_tflite_interpreters_per_pool": "interpreters of a pool, each for one request at a time",
    "version": "print the version and exit",
}

# Flags of the real server that this one has no use for yet, each with the values that ask nothing.
_NOT_HONOURED = {
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

# The smallest number that makes sense, where there is one.
_LEAST = {
    "file_system_poll_wait_seconds": 0,
    "model_config_file_poll_wait_seconds": 0,
    "grpc_max_threads": 1,
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
_UNREADABLE = 255  # how the real server ends on flags that it cannot read: -1


def parse(arguments: Sequence[str]) -> Options:
    """Read a command line; `--help` and what is no flag or no value of one end the process.

    Raises:
        ServerError: a flag asks for what this server cannot do, or the flags do not fit.
    """
    parser = _parser()
    known, unknown = parser.parse_known_args(arguments)
    if unknown:
        parser.error(f"unknown argument: {unknown[0]}")
    given = vars(known)
    for name, nothing in _NOT_HONOURED.items():
        value = given.pop(name)
        if value is not None and value.lower() not in nothing:
            raise ServerError(
                f"--{name}={value}: expected a flag that this server can honour. Received: one "
                "that only `tensorflow_model_server` does. Leave it out, or start that one."
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
                f"--{name}={port}: expected 0 to 65535. Received: a number outside. Choose another."
            )
    if not options.port and not options.grpc_socket_path:
        raise ServerError(
            "--port=0: expected somewhere to listen. Received: neither a port nor "
            "--grpc_socket_path. Give one of them."
        )
    for name, least in _LEAST.items():
        if getattr(options, name) < least:
            raise ServerError(
                f"--{name}: expected {least} or more. Received: {getattr(options, name)}. "
                "Choose another."
            )
    _check_together(options)


def _check_together(options: Options) -> None:
    if options.port and options.port == options.rest_api_port:
        raise ServerError(
            f"--rest_api_port={options.port}: expected another port than --port. Received: the "
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
            f"--workers={options.workers}: expected one process for --grpc_socket_path. Received: "
            "several, which cannot share a UNIX socket. Leave one of the two out."
        )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong and how the command is used, and end with the real server's status."""
        print(f"{message}\n{self.format_usage()}", file=sys.stderr, end="")
        sys.exit(_UNREADABLE)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="millrace-model-server",
        usage="%(prog)s --model_name=NAME --model_base_path=PATH [--flag=value ...]; or --help",
        description="Serves SavedModels over gRPC and REST as tensorflow_model_server does.",
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
    for name in _NOT_HONOURED:
        parser.add_argument(f"--{name}", nargs="?", const="true", help=argparse.SUPPRESS)
    return parser


def _value(name: str, read: Callable[[str], object], text: str) -> object:
    """What `text` says for the flag `name`."""
    try:
        return read(text)
    except (KeyError, ValueError) as error:
        raise argparse.ArgumentTypeError(
            f"Couldn't interpret value {text} for flag {name}."
        ) from error
