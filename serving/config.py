"""`--model_config_file`: the models to serve, as a text-format ModelServerConfig.

Checks and error texts are those of tensorflow_serving/model_servers/server_core.cc.
"""

from etils.epath import Path
from google.protobuf import text_format

from millrace.serving import regular_file, remote, text_form, versions
from millrace.serving.errors import ServerError
from millrace.serving.lifecycle import ModelConfig, RequestLogging
from millrace.serving.protos import model_server_config_pb2 as messages

_PLATFORM = "tensorflow"
_COLLECTOR = "tfrecord"
_PACKAGE = messages.ModelServerConfig.DESCRIPTOR.file.package
_VersionPolicy = messages.FileSystemStoragePathSourceConfig.ServableVersionPolicy


def read(file: Path) -> list[ModelConfig]:
    """Returns the models in `file`.

    Raises:
        ServerError: the file cannot be read, is not a ModelServerConfig, or has invalid values.
    """
    try:
        text = regular_file.read_text(file)
    except (OSError, UnicodeDecodeError) as error:
        raise ServerError(
            f"--model_config_file={file}: expected a readable file. Received: {error}. "
            "Check its name."
        ) from error
    try:
        config = text_form.parse(text, messages.ModelServerConfig())
    except text_format.ParseError as error:
        message = str(error).rstrip(".").replace(f"{_PACKAGE}.", "tensorflow.serving.")
        raise ServerError(
            f"Error parsing text-format tensorflow.serving.ModelServerConfig: {message}. "
            f"Correct {file}."
        ) from error
    if config.WhichOneof("config") == "custom_model_config":
        raise ServerError("ModelServer does not yet support custom model config.")
    return from_proto(config.model_config_list)


def from_proto(config: messages.ModelConfigList) -> list[ModelConfig]:
    """Returns the models of a parsed configuration."""
    models: dict[str, ModelConfig] = {}
    for one in config.config:
        if one.name in models:
            raise ServerError(f"Illegal to list model {one.name} multiple times in config list")
        models[one.name] = _model(one)
    return list(models.values())


def single(name: str, base_path: str) -> ModelConfig:
    """Returns the one model of `--model_name` and `--model_base_path`."""
    return _model(messages.ModelConfig(name=name, base_path=base_path, model_platform=_PLATFORM))


def _model(config: messages.ModelConfig) -> ModelConfig:
    _check_platform(config)
    if not config.base_path.startswith("/") and not remote.is_remote(config.base_path):
        raise ServerError(
            f"Expected model {config.name} to have an absolute path or URI; "
            f"got base_path()={config.base_path}"
        )
    if remote.is_remote(config.base_path):
        try:
            remote.check(config.base_path)
        except ValueError as error:
            raise ServerError(f"Base path of model {config.name}: {error}") from None
    return ModelConfig(
        config.name,
        remote.path(config.base_path),
        _policy(config.model_version_policy),
        dict(config.version_labels),
        _logging(config) if config.HasField("logging_config") else None,
    )


def _logging(config: messages.ModelConfig) -> RequestLogging:
    collector = config.logging_config.log_collector_config
    rate = config.logging_config.sampling_config.sampling_rate
    if collector.type != _COLLECTOR:
        raise ServerError(
            f"Model {config.name}: expected a log collector of type {_COLLECTOR!r}. "
            f"Received: {collector.type!r}. Use {_COLLECTOR!r}."
        )
    if not collector.filename_prefix or not 0 <= rate <= 1:
        raise ServerError(
            f"Model {config.name}: expected a `filename_prefix` and a `sampling_rate` from 0 to 1. "
            f"Received: {collector.filename_prefix!r} and {rate}. Correct its `logging_config`."
        )
    if "://" in collector.filename_prefix:
        raise ServerError(
            f"Model {config.name}: expected a local `filename_prefix`. "
            f"Received: {collector.filename_prefix!r}. Log into a local folder, and copy finished "
            "files from there."
        )
    return RequestLogging(collector.filename_prefix, rate)


def _check_platform(config: messages.ModelConfig) -> None:
    platform = config.model_platform
    if config.model_type:
        if platform:
            raise ServerError(
                "Illegal setting both ModelServerConfig::model_type (deprecated) "
                "and ModelServerConfig::model_platform."
            )
        if config.model_type != messages.TENSORFLOW:
            raise ServerError(
                f"ModelServerConfig::model_type choice {config.model_type} not supported."
            )
        platform = _PLATFORM
    if not platform:
        raise ServerError(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) "
            "nor ModelServerConfig::model_platform."
        )
    if platform != _PLATFORM:
        raise ServerError(f"Model {config.name} requests unsupported platform {platform}")


def _policy(policy: _VersionPolicy) -> versions.Policy:
    match policy.WhichOneof("policy_choice"):
        case "all":
            return versions.All()
        case "specific":
            return versions.Specific(frozenset(policy.specific.versions))
        case _:
            return versions.Latest(max(1, policy.latest.num_versions))
