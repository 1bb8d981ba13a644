"""Beam's flags: what is refused before anything runs; and pipelines in a notebook."""

import contextlib
import re
import socket
import sys
from concurrent import futures
from pathlib import Path
from types import SimpleNamespace

import apache_beam as beam
import grpc
import pytest
from apache_beam.options.pipeline_options import PrismRunnerOptions
from apache_beam.runners.portability.local_job_service import LocalJobServicer
from apache_beam.runners.portability.prism_runner import PrismRunner
from apache_beam.utils import interactive_utils

from millrace.components.beam import pipelines
from millrace.components.beam.exchange import Exchange
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import OptionError


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--runer=FlinkRunner",), "Beam flags: --runer: unknown. Did you mean `--runner`?"),
        (
            ("--runner=FnApiRunner", "--direct_num_worker=3"),
            "Beam flags: --direct_num_worker: unknown. Did you mean `--direct_num_workers`?",
        ),
        (
            ("--runner=DaskRunner", "--dask_client_adress=tcp://a:1"),
            "Beam flags: --dask_client_adress: unknown. Did you mean `--dask_client_address`?",
        ),
        (
            ("runner=FlinkRunner",),
            "Beam flags: expected --flag=value after `--`. Received: runner=FlinkRunner. "
            "Write `-- --runner=FlinkRunner`.",
        ),
    ],
)
def test_a_flag_that_beam_would_drop_is_refused(flags, message):
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        BeamOptions(flags).check()


@pytest.mark.parametrize(
    "flags",
    [
        (),
        ("--runner=FlinkRunner", "--flink_master=host:8081"),
        ("--runner=flink", "--checkpointingInterval=9"),
    ],
)
def test_flags_of_beam_and_of_runners_are_let_through(flags):
    BeamOptions(flags).check()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--runner=Nope",), "--runner: expected a runner that can be used here. Received: 'Nope'"),
        (("--runner=FlnkRunner",), "Did you mean `FlinkRunner`?"),
        (("--runner=NoSuchRunner",), "Received: 'NoSuchRunner'. There are: DataflowRunner, "),
        (("--runner=",), "Received: ''. There are: "),
        (("--runner=no.such.Runner",), "'no.such.Runner' (ModuleNotFoundError: No module"),
        (("--flagthatdoesnotexist",), "--flagthatdoesnotexist: unknown to Beam and to its runner"),
        (("--runner=DirectRunner", "-x"), "unknown to Beam and to its runner DirectRunner."),
        (("--runner=FnApiRunner", "stray"), "Received: stray after --runner=FnApiRunner."),
        (("--direct_num_workers=abc",), "argument --direct_num_workers: invalid int value: 'abc'"),
        (("--runner",), "argument --runner: expected one argument."),
    ],
)
def test_an_unknown_runner_or_flag_and_a_value_that_does_not_fit_are_refused(flags, message, capfd):
    with pytest.raises(OptionError, match=f"^Beam flags: .*{re.escape(message)}"):
        BeamOptions(flags).check()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "flags",
    [
        ("--runner=PortableRunner", "--job_endpoint=only.there:8099"),
        ("--runner=DaskRunner", "--dask_client_address=tcp://only.there:8786"),
        ("--runner=PrismRunner", "--prism_location=/only/there"),
        ("--runner=only.there.Runner", "--its_own=1"),
    ],
)
def test_flags_for_another_machine_are_not_held_against_what_is_here(flags):
    BeamOptions(flags).check(asking=False)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--runner=Bogus",), "--runner: expected a runner that can be used here"),
        (("--runner=PortableRunner", "--job_endpoint=there"), "Received: no host and port"),
        (("--runer=FlinkRunner",), "--runer: unknown. Did you mean `--runner`"),
    ],
)
def test_flags_for_another_machine_have_the_form_of_any(flags, message):
    with pytest.raises(OptionError, match=message):
        BeamOptions(flags).check(asking=False)


def _refusal(endpoint):
    with pytest.raises(OptionError) as caught:
        BeamOptions(("--runner=PortableRunner", f"--job_endpoint={endpoint}")).check()
    text = str(caught.value)
    assert text.startswith(
        f"Beam flags: --job_endpoint={endpoint}: expected host:port of a Beam job server. Received:"
    )
    assert "Start one there or correct the endpoint; `--job_endpoint=embed` has Beam" in text
    return text


@pytest.mark.parametrize("endpoint", ["localhost", ":8099", "a:0", "a:99999", "a:b"])
def test_a_job_endpoint_without_host_and_port_is_refused(endpoint):
    assert "Received: no host and port (1 to 65535)." in _refusal(endpoint)


def test_a_job_endpoint_where_nothing_listens_is_refused():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert "Connection refused" in _refusal(f"127.0.0.1:{free.getsockname()[1]}")


def test_a_job_endpoint_that_never_answers_is_refused(monkeypatch):
    monkeypatch.setattr("millrace.components.beam.job_endpoint._SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        message = _refusal(f"127.0.0.1:{silent.getsockname()[1]}")
    assert "Received: no answer in 0.5 s." in message


def test_a_job_endpoint_of_another_kind_is_refused():
    server = grpc.server(futures.ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    assert "Received: a gRPC server of another kind." in _refusal(f"127.0.0.1:{port}")
    server.stop(0).wait()


@pytest.mark.parametrize("address", ["nowhere:1", "tcp://127.0.0.1:1", "silent"])
def test_an_address_where_no_dask_scheduler_answers_is_refused(address, monkeypatch):
    monkeypatch.setattr("millrace.components.beam.dask_scheduler._SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        if address == "silent":
            address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        flags = ("--runner=DaskRunner", f"--dask_client_address={address}")
        with pytest.raises(OptionError) as caught:
            BeamOptions(flags).check()
    message = str(caught.value)
    assert message.startswith(f"Beam flags: --dask_client_address={address}: expected tcp://host:")
    assert message.endswith(
        ". Start one there by `dask scheduler`, and `dask worker` for each worker, or correct it."
    )


def test_an_empty_address_of_a_dask_scheduler_is_refused_and_none_is_not():
    with pytest.raises(OptionError) as caught:
        BeamOptions(("--runner=DaskRunner", "--dask_client_address=")).check()
    assert str(caught.value) == (
        "Beam flags: --dask_client_address: expected tcp://host:port of a Dask scheduler. "
        "Received: nothing. Give it, or leave the flag out: Dask then starts workers here."
    )
    BeamOptions(("--runner=DaskRunner",)).check()


def test_a_dask_scheduler_on_a_host_that_nobody_knows_is_told_from_a_silent_one():
    flags = ("--runner=DaskRunner", "--dask_client_address=tcp://no.such.invalid:8786")
    with pytest.raises(OptionError, match=r"Received: \[Errno -\d\] .*\. Start one there by"):
        BeamOptions(flags).check()


@pytest.mark.parametrize("flags", [("--runner=dask",), ("--runner=DaskRunner",)])
def test_dask_without_its_extra_is_refused(flags, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam.runners.dask.dask_runner", None)
    with pytest.raises(OptionError, match=r"\. Run `pip install 'tf-millrace\[dask\]'`\.$"):
        BeamOptions(flags).check()


def test_a_prism_that_beam_would_download_is_refused_and_one_on_path_is_used(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OptionError) as caught:
        BeamOptions(("--runner=PrismRunner",)).check()
    assert str(caught.value).startswith(
        "Beam flags: --runner=PrismRunner: expected --prism_location=PATH beside it, or "
        "`prism` on PATH. Received: neither. Build it by `go install github.com/apache/"
    )
    program = tmp_path / "prism"
    program.touch(0o755)
    BeamOptions(("--runner=PrismRunner",)).check()
    taken = []
    monkeypatch.setattr(PrismRunner, "run_pipeline", lambda self, made, given: taken.append(given))
    for flags in ((), ("--prism_location=/mine",), ("--job_endpoint=there:1",)):
        with (
            contextlib.suppress(AttributeError),
            pipelines.pipeline(("--runner=PrismRunner", *flags)) as made,
        ):
            _ = made | "Make" >> beam.Impulse()
    assert [given.view_as(PrismRunnerOptions).prism_location for given in taken] == [
        *(str(program), "/mine", None)
    ]


def test_a_prism_that_is_not_there_is_refused(tmp_path):
    place = tmp_path / "prism"
    with pytest.raises(OptionError) as caught:
        BeamOptions(("--runner=PrismRunner", f"--prism_location={place}")).check()
    assert str(caught.value).startswith(
        f"Beam flags: --prism_location={place}: expected Prism's program. Received: none that can "
        "be run. Build it by `go install github.com/apache/beam/sdks/v2/go/cmd/prism@v2."
    )


@pytest.mark.parametrize("endpoint", ["embed", ""])
def test_a_job_server_that_beam_starts_itself_is_let_through(endpoint):
    BeamOptions(("--runner=PortableRunner", f"--job_endpoint={endpoint}")).check()


def test_a_job_server_that_answers_is_let_through(tmp_path):
    service = LocalJobServicer(str(tmp_path))
    port = service.start_grpc_server()
    BeamOptions(("--runner=PortableRunner", f"--job_endpoint=localhost:{port}")).check()
    service.stop()


@pytest.mark.parametrize(
    ("flags", "is_so"),
    [
        ((), False),
        (("--direct_num_workers=2",), False),
        (("--runner=DirectRunner", "--direct_running_mode=multi_processing"), False),
        (("--runner=DaskRunner",), False),
        (("--runner=DaskRunner", "--dask_client_address=tcp://a:1"), True),
        (("--runner=PrismRunner",), False),
        (("--runner=PrismRunner", "--environment_type=LOOPBACK"), False),
        (("--runner=PrismRunner", "--environment_type=EXTERNAL"), True),
        (("--runner=PortableRunner", "--job_endpoint=a:1"), True),
        (("--runner=PortableRunner", "--environment_type=LOOPBACK"), False),
        (("--runner=FlinkRunner", "--environment_type=DOCKER"), True),
    ],
)
def test_workers_of_other_machines_get_an_exchange_and_others_none(flags, is_so):
    found = BeamOptions(flags).exchanging("s3://b/x", ["/data"])
    assert found == BeamOptions(flags, Exchange("s3://b/x", ("/data",)) if is_so else None)


def test_a_pipeline_in_a_notebook_is_built_as_in_a_program(monkeypatch):
    """Beam asks IPython whether there is one, and would import its data frames."""
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=object))
    monkeypatch.setitem(sys.modules, "apache_beam.runners.interactive", None)
    with pipelines.pipeline(()) as pipeline:
        made = pipeline | "Make" >> beam.Impulse()
        assert made.producer.full_label == "Make"
        folder = Path(pipeline.local_tempdir)
        assert folder.is_dir()
    assert not folder.exists()
    assert interactive_utils.is_in_ipython()
