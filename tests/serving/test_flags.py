"""The command line and the config file: their meaning, and errors."""

import dataclasses

import pytest
from etils.epath import Path

from millrace.serving import config, flags, versions
from millrace.serving.errors import ServerError

REQUIRED = "--model_base_path=/models/half"


def test_defaults_are_the_real_servers():
    options = flags.parse([REQUIRED])
    assert (options.port, options.model_name) == (8500, "default")
    assert (options.file_system_poll_wait_seconds, options.max_num_load_retries) == (1, 5)
    assert options.load_retry_interval_micros == 60_000_000
    assert options.enable_model_warmup
    assert not options.enable_grpc_healthcheck_service
    assert not options.enable_signature_method_name_check  # TF2 has one name for all
    assert not options.enable_profiler  # on in the real server
    assert options.saved_model_tags == "serve"


def test_the_server_listens_on_this_machine_only_by_default():
    assert flags.parse([REQUIRED]).bind_address == "127.0.0.1"
    assert flags.parse([REQUIRED, "--bind_address=0.0.0.0"]).bind_address == "0.0.0.0"  # noqa: S104


def test_flags_have_the_real_servers_names_and_forms():
    options = flags.parse(
        [
            *("--port=9000", "--model_name", "half", REQUIRED, "--enable_model_warmup=false"),
            *("--enable_grpc_healthcheck_service", "--load_retry_interval_micros=5"),
        ]
    )
    assert (options.port, options.model_name) == (9000, "half")
    assert not options.enable_model_warmup
    assert options.enable_grpc_healthcheck_service
    (model,) = options.models()
    assert (model.name, str(model.base_path)) == ("half", "/models/half")
    assert model.policy == versions.Latest(1)


@pytest.mark.parametrize(
    "flag",
    [
        *("use_alts_credentials", "use_alts_credentials=true", "platform_config_file=p.txt"),
        *("mixed_precision=bfloat16", "xla_cpu_compilation_enabled=true"),
        "thread_pool_factory_config_file=t.txt",
    ],
)
def test_an_unsupported_flag_is_refused_by_name(flag):
    with pytest.raises(ServerError) as refusal:
        flags.parse([REQUIRED, f"--{flag}"])
    name, _, value = flag.partition("=")
    assert str(refusal.value) == (
        f"--{name}={value or 'true'}: expected a flag that this server supports. Received: one "
        "that only `tensorflow_model_server` does. Leave it out, or use that server."
    )


@pytest.mark.parametrize(
    "flag",
    [
        *("rest_api_port=0", "enable_batching=false", "ssl_config_file=", "model_name=half"),
        *("flush_filesystem_caches=true", "remove_unused_fields_from_bundle_metagraph"),
    ],
)
def test_an_unsupported_flag_that_changes_nothing_is_accepted(flag):
    flags.parse([REQUIRED, f"--{flag}"])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            [],
            "Both server_options.model_base_path and server_options.model_config_file are empty!",
        ),
        (
            [REQUIRED, "--port=0"],
            "--port=0: expected a port or --grpc_socket_path. Received: neither",
        ),
        ([REQUIRED, "--port=70000"], "--port=70000: expected 0 to 65535. Received: 70000"),
        (
            [REQUIRED, "--file_system_poll_wait_seconds=-1"],
            "--file_system_poll_wait_seconds: expected 0 or more. Received: -1. Choose another.",
        ),
        ([REQUIRED, "--workers=0"], "--workers: expected 1 or more. Received: 0."),
        (
            [REQUIRED, "--workers=2", "--grpc_socket_path=/tmp/s"],
            "--workers=2: expected one process with --grpc_socket_path. Received: several,",
        ),
        (
            [REQUIRED, "--batching_parameters_file=b.txt"],
            "server_options.batching_parameters_file is set without setting "
            "server_options.enable_batching to true.",
        ),
        (
            [
                *(REQUIRED, "--tensorflow_session_parallelism=1"),
                *("--tensorflow_intra_op_parallelism=1", "--tensorflow_inter_op_parallelism=1"),
            ],
            "Either configure server_options.tensorflow_session_parallelism or "
            "(server_options.tensorflow_intra_op_parallelism, "
            "server_options.tensorflow_inter_op_parallelism) separately. "
            "You cannot configure all.",
        ),
    ],
)
def test_conflicting_and_invalid_flags_are_refused(arguments, text):
    with pytest.raises(ServerError) as refusal:
        flags.parse(arguments)
    assert str(refusal.value).startswith(text)


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("--nope", "unknown argument: --nope"),
        ("--nope=1", "unknown argument: --nope=1"),
        ("stray", "unknown argument: stray"),
        ("-port=1", "unknown argument: -port=1"),
        ("--noenable_batching", "unknown argument: --noenable_batching"),
        ("--port=x", "argument --port: Couldn't interpret value x for flag port."),
        (
            "--enable_batching=perhaps",
            "argument --enable_batching: Couldn't interpret value perhaps for flag "
            "enable_batching.",
        ),
    ],
)
def test_unknown_flags_and_invalid_values_end_with_the_usage(argument, text, capsys):
    with pytest.raises(SystemExit) as end:
        flags.parse([REQUIRED, argument])
    assert end.value.code == 255
    output = capsys.readouterr().err
    assert output == (
        f"{text}\nusage: millrace-model-server --model_name=NAME --model_base_path=PATH "
        "[--flag=value ...]; or --help\n"
    )


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("", True),
        ("=true", True),
        ("=1", True),
        ("=false", False),
        ("=0", False),
        ("=False", False),
    ],
)
def test_a_switch_has_the_forms_of_tensorflows_flags(form, value):
    assert flags.parse([REQUIRED, f"--enable_model_warmup{form}"]).enable_model_warmup is value


def test_help_names_every_flag(capsys):
    with pytest.raises(SystemExit) as end:
        flags.parse(["--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert all(f"--{field.name} " in shown for field in dataclasses.fields(flags.Options))


# --model_config_file


PLATFORM = 'model_platform: "tensorflow"'


def model(text="", *, name="half", path="/models/half"):
    return f'config {{ name: "{name}" base_path: "{path}" {PLATFORM} {text} }}'


@pytest.fixture
def read(tmp_path):
    def run(*models):
        file = tmp_path / "models.config"
        file.write_text(f"model_config_list {{ {' '.join(models)} }}")
        return config.read(Path(file))

    return run


def test_a_config_file_names_models_policies_and_labels(read):
    models = read(
        model(),
        model("model_version_policy { latest { num_versions: 3 } }", name="latest"),
        model("model_version_policy { all {} }", name="all"),
        model("model_version_policy { specific { versions: 1 versions: 5 } }", name="some"),
        model('version_labels { key: "stable" value: 4 }', name="labels", path="s3://b/m"),
    )
    assert [one.policy for one in models] == [
        versions.Latest(1),
        versions.Latest(3),
        versions.All(),
        versions.Specific(frozenset({1, 5})),
        versions.Latest(1),
    ]
    assert (models[4].labels, str(models[4].base_path)) == ({"stable": 4}, "s3://b/m")


def test_the_deprecated_model_type_is_accepted(read):
    (one,) = read('config { name: "half" base_path: "/m" model_type: TENSORFLOW }')
    assert one.name == "half"


@pytest.mark.parametrize(
    ("models", "text"),
    [
        ([model(), model()], "Illegal to list model half multiple times in config list"),
        (
            [model(path="models/half")],
            "Expected model half to have an absolute path or URI; got base_path()=models/half",
        ),
        (
            ['config { name: "half" base_path: "/m" }'],
            "Illegal setting neither ModelServerConfig::model_type (deprecated) "
            "nor ModelServerConfig::model_platform.",
        ),
        (
            [f'config {{ name: "half" base_path: "/m" model_type: TENSORFLOW {PLATFORM} }}'],
            "Illegal setting both ModelServerConfig::model_type (deprecated) "
            "and ModelServerConfig::model_platform.",
        ),
        (
            ['config { name: "half" base_path: "/m" model_type: OTHER }'],
            "ModelServerConfig::model_type choice 2 not supported.",
        ),
        (
            ['config { name: "half" base_path: "/m" model_platform: "onnx" }'],
            "Model half requests unsupported platform onnx",
        ),
        (
            [model("logging_config { sampling_config { sampling_rate: 1.0 } }")],
            "Model half: expected a log collector of type 'tfrecord'. Received: ''. "
            "Use 'tfrecord'.",
        ),
        (
            [
                model(
                    'logging_config { log_collector_config { type: "tfrecord" filename_prefix: '
                    '"gs://logs/half" } sampling_config { sampling_rate: 1.0 } }'
                )
            ],
            "Model half: expected a local `filename_prefix`. Received: "
            "'gs://logs/half'. Log into a local folder, and copy finished files from there.",
        ),
        (
            [
                model(
                    'logging_config { log_collector_config { type: "tfrecord" filename_prefix: '
                    '"/logs/half" } sampling_config { sampling_rate: 2.0 } }'
                )
            ],
            "Model half: expected a `filename_prefix` and a `sampling_rate` from 0 to 1. "
            "Received: '/logs/half' and 2.0. Correct its `logging_config`.",
        ),
    ],
)
def test_invalid_models_are_refused(read, models, text):
    with pytest.raises(ServerError) as refusal:
        read(*models)
    assert str(refusal.value) == text


def test_a_config_file_that_does_not_parse_is_refused_with_the_real_servers_text(read, tmp_path):
    with pytest.raises(ServerError) as refusal:
        read("config { nome: 1 }")
    assert str(refusal.value) == (
        "Error parsing text-format tensorflow.serving.ModelServerConfig: 1:30 : Message type "
        '"tensorflow.serving.ModelConfig" has no field named "nome". '
        f"Correct {tmp_path / 'models.config'}."
    )
    with pytest.raises(ServerError, match="expected a readable file"):
        config.read(Path(tmp_path / "none"))


def test_a_custom_model_config_is_refused(tmp_path):
    file = tmp_path / "models.config"
    file.write_text('custom_model_config { type_url: "x" }')
    with pytest.raises(ServerError, match="does not yet support custom model config"):
        config.read(Path(file))
