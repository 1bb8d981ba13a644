"""Metrics: TensorFlow Serving's names, labels, buckets and format, and what changes them."""

import re
import threading
import time

import grpc
import pytest
from etils.epath import Path
from hypothesis import given
from hypothesis import strategies as st

from millrace.serving import metered, monitoring
from millrace.serving.client import Client
from millrace.serving.errors import InvalidArgumentError, ModelLoadError, ServerError
from millrace.serving.flags import Options
from millrace.serving.loading import Loader
from millrace.serving.monitoring import Counter, Histogram
from tests.serving.rest.conftest import Rest, serve_rest

LATENCY_LIMITS = [
    *("10", "18", "32.4", "58.32", "104.976", "188.957", "340.122", "612.22", "1102", "1983.59"),
    *("3570.47", "6426.84", "11568.3", "20823", "37481.3", "67466.4", "121440", "218591"),
    *("393464", "708235", "1.27482e+06", "2.29468e+06", "4.13043e+06", "7.43477e+06"),
    *("1.33826e+07", "2.40887e+07", "4.33596e+07", "7.80473e+07", "1.40485e+08", "2.52873e+08"),
    *("4.55172e+08", "8.19309e+08", "1.47476e+09", "+Inf"),
]


def test_a_counter_has_a_line_for_each_combination_of_labels():
    counter = Counter("/tensorflow/x/a_count", ("model_name", "status"))
    assert list(counter.lines()) == ["# TYPE :tensorflow:x:a_count counter"]
    counter.add("m", "OK")
    counter.add("m", "OK", by=2)
    counter.add("a", "NOT_FOUND")
    assert list(counter.lines())[1:] == [
        ':tensorflow:x:a_count{model_name="a",status="NOT_FOUND"} 1',
        ':tensorflow:x:a_count{model_name="m",status="OK"} 3',
    ]


def test_a_histogram_counts_what_is_below_each_limit():
    histogram = Histogram("/h", ("m",), [1, 2.5])
    for value in (0.5, 1, 2, 7):
        histogram.add(value, "a")
    assert list(histogram.lines()) == [
        "# TYPE :h histogram",
        ':h_bucket{m="a",le="1"} 1',
        ':h_bucket{m="a",le="2.5"} 3',
        ':h_bucket{m="a",le="+Inf"} 4',
        ':h_sum{m="a"} 10.5',
        ':h_count{m="a"} 4',
    ]


def test_label_values_are_escaped():
    counter = Counter("/c", ("m",))
    counter.add('a"\\\n')
    assert list(counter.lines())[1] == ':c{m="a\\"\\\\\\n"} 1'


def test_callers_cannot_exhaust_the_memory_with_labels(monkeypatch):
    monkeypatch.setattr(monitoring, "_MOST_CELLS", 3)
    counter = Counter("/c", ("m",))
    for name in ("a", "b", "c", "d", "e", "a"):
        counter.add(name)
    assert list(counter.lines())[1:] == [
        *(':c{m="(others)"} 2', ':c{m="a"} 2', ':c{m="b"} 1', ':c{m="c"} 1')
    ]


def test_no_count_is_lost_between_threads():
    counter, histogram = Counter("/c", ("m",)), Histogram("/h", ("m",), [1])

    def count():
        for _ in range(2000):
            counter.add("a")
            histogram.add(2, "a")

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(counter.lines())[-1] == ':c{m="a"} 16000'
    assert list(histogram.lines())[-1] == ':h_count{m="a"} 16000'


@given(st.lists(st.floats(0, 1e10)))
def test_buckets_grow_and_end_at_the_count(values):
    histogram = Histogram("/h", (), [10 * 1.8**k for k in range(33)])
    for value in values:
        histogram.add(value)
    buckets = [int(line.split()[-1]) for line in histogram.lines() if "_bucket" in line]
    assert buckets == sorted(buckets)
    assert (buckets[-1] if values else 0) == len(values)


BATCHING = ":tensorflow:serving:batching_session"
NAMES = {
    f"{BATCHING}:input_batch_size": "histogram",
    f"{BATCHING}:padding_size": "histogram",
    f"{BATCHING}:processed_batch_size": "histogram",
    f"{BATCHING}:queuing_latency": "histogram",
    ":tensorflow:cc:saved_model:load_attempt_count": "counter",
    ":tensorflow:cc:saved_model:load_latency": "counter",
    ":tensorflow:serving:model_warmup_latency": "histogram",
    ":tensorflow:serving:request_count": "counter",
    ":tensorflow:serving:request_example_count_total": "counter",
    ":tensorflow:serving:request_example_counts": "histogram",
    ":tensorflow:serving:request_log_count": "counter",
    ":tensorflow:serving:request_latency": "histogram",
    ":tensorflow:serving:runtime_latency": "histogram",
}


def test_the_page_has_the_real_servers_names_in_order():
    types = re.findall(r"^# TYPE (\S+) (\w+)$", monitoring.page(), re.M)
    assert dict(types) == NAMES
    assert [name for name, _ in types] == sorted(NAMES)


def test_every_line_is_prometheus_text():
    sample = re.compile(r'[a-zA-Z_:][\w:]*\{(\w+="([^"\\\n]|\\.)*",?)*\} [0-9.e+-]+')
    for line in monitoring.page().splitlines():
        assert line.startswith("# TYPE ") or sample.fullmatch(line), line


def test_a_batch_is_recorded_with_its_rows_padding_and_wait():
    def sums():
        found = re.findall(rf"^{BATCHING}:(\w+)_sum\{{(.*)\}} (\S+)$", monitoring.page(), re.M)
        return {(name, labels): float(value) for name, labels, value in found}

    before = sums()
    metered.batch([2, 3], 8, [time.perf_counter() - 1, time.perf_counter() - 2])
    grown = {key: value - before.get(key, 0) for key, value in sums().items()}
    assert grown["input_batch_size", ""] == 5
    assert grown["processed_batch_size", ""] == 8
    assert grown["padding_size", 'execution_batch_size="8"'] == 3
    assert grown["queuing_latency", ""] == pytest.approx(3e6, rel=0.1)


# The config file


def write(tmp_path, text):
    (tmp_path / "monitoring.config").write_text(text)
    return Path(tmp_path / "monitoring.config")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("prometheus_config { enable: true }", "/monitoring/prometheus/metrics"),
        ('prometheus_config { enable: true path: "/m" }', "/m"),
        ("prometheus_config: { enable: false }", ""),
        ("", ""),
    ],
)
def test_the_file_sets_whether_and_where_metrics_are_served(tmp_path, text, path):
    assert monitoring.prometheus_path(write(tmp_path, text)) == path


def test_an_invalid_file_is_refused(tmp_path):
    file = write(tmp_path, "nonsense {")
    with pytest.raises(ServerError) as refusal:
        monitoring.prometheus_path(file)
    text = str(refusal.value)
    assert text.startswith(f"--monitoring_config_file={file}: expected a text-format Monitoring")
    assert text.endswith("Write e.g. prometheus_config { enable: true }.")
    with pytest.raises(ServerError, match="expected a text-format MonitoringConfig"):
        monitoring.prometheus_path(Path(tmp_path / "none"))


# Over the wire


@pytest.fixture(scope="module")
def served(half_plus_two, tmp_path_factory):
    folder = tmp_path_factory.mktemp("monitored")
    server, rest = serve_rest(half_plus_two, folder)
    yield folder, server, rest
    server.stop()


def value(rest, line):
    """The number on the line that starts with this; 0 if there is none yet."""
    page = rest.ask("GET", "/monitoring/prometheus/metrics").text
    found = re.search(rf"^{re.escape(line)} (\S+)$", page, re.M)
    return float(found[1]) if found else 0.0


def counted(rest, line, act):
    before = value(rest, line)
    act()
    return value(rest, line) - before


def request_count(status, model="half"):
    return f':tensorflow:serving:request_count{{model_name="{model}",status="{status}"}}'


def latency_count(api, entrypoint):
    labels = f'model_name="half",API="{api}",entrypoint="{entrypoint}"'
    return f":tensorflow:serving:request_latency_count{{{labels}}}"


def runtime_count(api):
    return (
        f':tensorflow:serving:runtime_latency_count{{model_name="half",API="{api}",runtime="TF1"}}'
    )


def test_metrics_are_plain_text_at_their_path_only(served):
    _, _, rest = served
    answer = rest.ask("GET", "/monitoring/prometheus/metrics")
    assert (answer.status, answer.headers["Content-Type"].split(";")[0]) == (200, "text/plain")
    assert "# TYPE" in answer.text
    answer = rest.ask("GET", "/monitoring/prometheus/metrics?x=1")
    assert (answer.status, answer.text) == (
        400,
        "Unexpected path: /monitoring/prometheus/metrics?x=1. "
        "Should be /monitoring/prometheus/metrics",
    )


def test_without_the_file_there_are_no_metrics(serve, half_plus_two, tmp_path):
    from tests.serving.conftest import free_port

    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "1").symlink_to(half_plus_two)
    port = free_port()
    serve(tmp_path / "half", rest_api_port=port)
    assert Rest(port).ask("GET", "/monitoring/prometheus/metrics").status == 404


def test_rest_requests_are_counted_and_timed(served):
    _, _, rest = served

    def ask():
        assert rest.post("half:predict", {"instances": [1.0]}).status == 200

    assert counted(rest, request_count("OK"), ask) == 1
    assert counted(rest, latency_count("predict", "REST"), ask) == 1
    assert counted(rest, runtime_count("Predict"), ask) == 1
    assert counted(rest, latency_count("", "REST"), lambda: rest.get("/half")) == 1
    assert counted(rest, latency_count("", "REST"), lambda: rest.get("/half/metadata")) == 1


def test_rest_refusals_are_counted_by_their_code(served):
    _, _, rest = served

    def unknown():
        rest.post("none:predict", {"instances": [1.0]})

    assert counted(rest, request_count("NOT_FOUND", "none"), unknown) == 1
    assert counted(rest, request_count("INVALID_ARGUMENT", ""), lambda: rest.get("/a/b")) == 1

    def wrong():
        rest.post("half:predict", {"instances": ["a"]})

    assert counted(rest, latency_count("predict", "REST"), wrong) == 0
    assert counted(rest, runtime_count("Predict"), wrong) == 0


def test_grpc_requests_are_counted_and_timed(served):
    _, server, rest = served
    target = f"127.0.0.1:{server._options.port}"
    record = {"x": 1.0}
    with Client(target) as client:
        calls = {
            "Predict": lambda: client.predict("half", {"x": [1.0]}),
            "Classify": lambda: client.classify("half", [record] * 3, signature="classify"),
            "Regress": lambda: client.regress("half", [record] * 3, signature="regress"),
        }
        for api, ask in calls.items():
            assert counted(rest, latency_count(api, "GRPC"), ask) == 1
            assert counted(rest, runtime_count(api), ask) == 1
        assert counted(rest, request_count("OK"), calls["Regress"]) == 1

        def wrong():
            with pytest.raises(InvalidArgumentError):
                client.predict("half", {"z": [1.0]})

        assert counted(rest, request_count("INVALID_ARGUMENT"), wrong) == 1
        examples = ':tensorflow:serving:request_example_count_total{model="half"}'
        assert counted(rest, examples, calls["Classify"]) == 3
        below = ':tensorflow:serving:request_example_counts_bucket{model="half",le="4"}'
        assert counted(rest, below, calls["Classify"]) == 1
        assert counted(rest, request_count("OK"), lambda: client.status("half")) == 0


def test_latencies_have_33_buckets_of_10_microseconds_times_1_8(served):
    _, _, rest = served
    rest.post("half:predict", {"instances": [1.0]})
    page = rest.ask("GET", "/monitoring/prometheus/metrics").text
    labels = 'model_name="half",API="predict",entrypoint="REST"'
    lines = rf':tensorflow:serving:request_latency_bucket\{{{labels},le="(\S+)"\}}'
    assert re.findall(lines, page) == LATENCY_LIMITS


def test_loads_are_counted_by_their_outcome(served, tmp_path):
    folder, _, rest = served
    for version in ("7", "00000123"):
        path = folder / "half" / version
        count = ":tensorflow:cc:saved_model:load_attempt_count"
        assert value(rest, f'{count}{{model_path="{path}",status="success"}}') == 1
        latency = ":tensorflow:cc:saved_model:load_latency"
        assert value(rest, f'{latency}{{model_path="{path}"}}') > 1000
        warm = ":tensorflow:serving:model_warmup_latency_count"
        assert value(rest, f'{warm}{{model_path="{path}",status="OK"}}') == 1
    with pytest.raises(ModelLoadError):
        Loader(Options(), None)(Path(tmp_path))
    assert f'{{model_path="{tmp_path}",status="fail"}} 1' in monitoring.page()


def test_metrics_without_a_port_log_a_warning(half_plus_two, tmp_path, caplog, serve):
    file = write(tmp_path, "prometheus_config { enable: true }")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "1").symlink_to(half_plus_two)
    target = serve(tmp_path / "half", monitoring_config_file=str(file))
    with grpc.insecure_channel(target):
        assert "metrics need --rest_api_port, which is not set" in caplog.text
