"""The flags of `tensorflow_model_server`, by their own names.

Those that this server cannot honour are known, and refused by name: a command line that works
here works there, and never means less than it says. Source: tensorflow_serving/model_servers/
main.cc.
"""

import argparse
import dataclasses
import os
from collections.abc import Sequence

from etils.epath import Path

from serving import config
from serving.errors import ServerError
from serving.lifecycle import ModelConfig


@dataclasses.dataclass(frozen=True)
class Options:
    """What the flags say, under their names."""

    port: int = 8500
    bind_address: str = "127.0.0.1"
    grpc_socket_path: str = ""
    grpc_channel_arguments: str = ""
    grpc_max_threads: int = 4 * (os.cpu_count() or 1)
    enable_grpc_healthcheck_service: bool = False
    model_name: str = "default"
    model_base_path: str = ""
    model_config_file: str = ""
    allow_version_labels_for_unavailable_models: bool = False
    file_system_poll_wait_seconds: int = 1
    max_num_load_retries: int = 5
    load_retry_interval_micros: int = 60_000_000
    num_load_threads: int = 1
    enable_model_warmup: bool = True
    enable_signature_method_name_check: bool = True
    saved_model_tags: str = "serve"
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
    "grpc_max_threads": "requests that may run at the same time",
    "enable_grpc_healthcheck_service": "serve grpc.health.v1.Health",
    "model_name": "name of the model; not used with --model_config_file",
    "model_base_path": "absolute path of the folder of version folders; not used with "
    "--model_config_file",
    "model_config_file": "text-format ModelServerConfig: several models, policies, labels",
    "allow_version_labels_for_unavailable_models": "labels may name versions that are not "
    "available yet",
    "file_system_poll_wait_seconds": "seconds between two looks for new versions; 0 looks once",
    "max_num_load_retries": "how often a failed load is tried again",
    "load_retry_interval_micros": "microseconds between two tries of a load",
    "num_load_threads": "models that may be loaded at the same time",
    "enable_model_warmup": "run the requests in assets.extra before a version is served",
    "enable_signature_method_name_check": "Classify and Regress ask for signatures of their own "
    "method name",
    "saved_model_tags": "comma separated tags of the graph to load",
    "version": "print the version and exit",
}

# Flags of the real server that this one has no use for yet, each with the values that ask nothing.
_NOT_HONOURED = {
    "rest_api_port": ("0",),
    "rest_api_num_threads": (),
    "rest_api_timeout_in_ms": (),
    "rest_api_enable_cors_support": ("false",),
    "enable_batching": ("false",),
    "batching_parameters_file": ("",),
    "enable_per_model_batching_parameters": ("false",),
    "model_config_file_poll_wait_seconds": ("0",),
    "num_unload_threads": ("0",),
    "flush_filesystem_caches": ("false",),
    "tensorflow_session_parallelism": ("0",),
    "tensorflow_session_config_file": ("",),
    "tensorflow_intra_op_parallelism": ("0",),
    "tensorflow_inter_op_parallelism": ("0",),
    "use_alts_credentials": ("false",),
    "ssl_config_file": ("",),
    "platform_config_file": ("",),
    "per_process_gpu_memory_fraction": ("0", "0.0"),
    "num_request_iterations_for_warmup": ("0", "1"),
    "monitoring_config_file": ("",),
    "remove_unused_fields_from_bundle_metagraph": ("false",),
    "prefer_tflite_model": ("false",),
    "num_tflite_pools": (),
    "num_tflite_interpreters_per_pool": (),
    "xla_cpu_compilation_enabled": ("false",),
    "xla_gpu_compilation_enabled": ("false",),
    "enable_profiler": ("false",),
    "thread_pool_factory_config_file": ("",),
    "mixed_precision": ("",),
    "skip_initialize_tpu": ("true", "false"),
    "enable_serialization_as_tensor_content": ("false",),
}


def parse(arguments: Sequence[str]) -> Options:
    """Read a command line; `--help` and unknown flags end the process, as argparse does.

    Raises:
        ServerError: a flag asks for what this server cannot do, or the flags do not fit.
    """
    given = vars(_parser().parse_args(arguments))
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
    if not 0 <= options.port <= 65535:
        raise ServerError(
            f"--port={options.port}: expected 0 to 65535. Received: a number outside. "
            "Choose another."
        )
    if not options.port and not options.grpc_socket_path:
        raise ServerError(
            "--port=0: expected somewhere to listen. Received: neither a port nor "
            "--grpc_socket_path. Give one of them."
        )
    if options.file_system_poll_wait_seconds < 0:
        raise ServerError(
            "--file_system_poll_wait_seconds: expected 0 or more. "
            f"Received: {options.file_system_poll_wait_seconds}. Leave it out to look every second."
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="millrace-model-server",
        description="Serves SavedModels over gRPC as tensorflow_model_server does.",
        allow_abbrev=False,
    )
    for field in dataclasses.fields(Options):
        switch = {"nargs": "?", "const": True} if field.type is bool else {}
        parser.add_argument(
            f"--{field.name}",
            type=_boolean if field.type is bool else field.type,
            default=field.default,
            help=f"{_HELP[field.name]} (default: {field.default!r})".replace("%", "%%"),
            **switch,  # type: ignore[arg-type]
        )
    for name in _NOT_HONOURED:
        parser.add_argument(f"--{name}", nargs="?", const="true", help=argparse.SUPPRESS)
    return parser


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise argparse.ArgumentTypeError(f"expected true or false, received {text!r}")
    return text.lower() in ("true", "1")
