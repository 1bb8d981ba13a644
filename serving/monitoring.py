"""The server's metrics, with TensorFlow Serving's names and in its format.

A metric has a value for each combination of its labels, which appears when it is first recorded.
Slashes in names become colons: `/tensorflow/serving/request_count` is exported as
`:tensorflow:serving:request_count`. Latencies are in microseconds. All methods are thread-safe.
Sources: tensorflow_serving/util/prometheus_exporter.cc, servables/tensorflow/util.cc,
batching/batching_session.cc, tensorflow/cc/saved_model/loader.cc.
"""

import bisect
import itertools
import re
import threading
from collections.abc import Iterator, Mapping, Sequence

from etils.epath import Path
from google.protobuf import text_format

from millrace.serving import regular_file, text_form
from millrace.serving.errors import ServerError
from millrace.serving.protos import monitoring_config_pb2

DEFAULT_PATH = "/monitoring/prometheus/metrics"
_MOST_CELLS = 10_000  # per metric: callers choose some labels and must not exhaust the memory
_BEYOND = "(others)"


class Counter:
    """A number that only grows, for each combination of labels."""

    def __init__(self, name: str, labels: Sequence[str]) -> None:
        self.name, self._labels = name, labels
        self._cells: dict[tuple[str, ...], int] = {}
        self._lock = threading.Lock()

    def add(self, *labels: str, by: int = 1) -> None:
        """Add `by` to the number for `labels`."""
        cells = self._cells
        with self._lock:
            key = labels if labels in cells else _bounded(cells, labels)
            cells[key] = cells.get(key, 0) + by

    def lines(self) -> Iterator[str]:
        """Yield the metric in Prometheus's text format."""
        name = _metric_name(self.name)
        with self._lock:
            cells = sorted(self._cells.items())
        yield f"# TYPE {name} counter"
        for labels, value in cells:
            yield f"{name}{{{_pairs(self._labels, labels)}}} {value}"


class Histogram:
    """Counts values below each of `limits`, for each combination of labels."""

    def __init__(self, name: str, labels: Sequence[str], limits: Sequence[float]) -> None:
        self.name, self._labels, self._limits = name, labels, limits
        self._cells: dict[tuple[str, ...], _Cell] = {}
        self._lock = threading.Lock()

    def add(self, value: float, *labels: str) -> None:
        """Count `value` for `labels`."""
        bucket = bisect.bisect_right(self._limits, value)
        with self._lock:
            cell = self._cells.get(labels) or self._cell(labels)
            cell.counts[bucket] += 1
            cell.total += value

    def _cell(self, labels: tuple[str, ...]) -> "_Cell":
        key = _bounded(self._cells, labels)
        return self._cells.setdefault(key, _Cell(len(self._limits) + 1))

    def lines(self) -> Iterator[str]:
        """Yield the metric in Prometheus's text format."""
        name = _metric_name(self.name)
        limits = [*(f"{limit:g}" for limit in self._limits), "+Inf"]
        with self._lock:
            cells = sorted((key, [*cell.counts], cell.total) for key, cell in self._cells.items())
        yield f"# TYPE {name} histogram"
        for labels, counts, total in cells:
            pairs = _pairs(self._labels, labels)
            before = f"{pairs}," if pairs else ""
            for limit, count in zip(limits, itertools.accumulate(counts), strict=True):
                yield f'{name}_bucket{{{before}le="{limit}"}} {count}'
            yield f"{name}_sum{{{pairs}}} {total:g}"
            yield f"{name}_count{{{pairs}}} {sum(counts)}"


class _Cell:
    def __init__(self, buckets: int) -> None:
        self.counts, self.total = [0] * buckets, 0.0


def _powers(scale: float, growth: float, count: int) -> list[float]:
    """Returns `scale * growth ** k` for each k below `count`."""
    return [scale * growth**power for power in range(count)]


_LATENCY = _powers(10, 1.8, 33)  # microseconds, up to about 25 minutes

REQUEST_COUNT = Counter("/tensorflow/serving/request_count", ("model_name", "status"))
REQUEST_LATENCY = Histogram(
    "/tensorflow/serving/request_latency", ("model_name", "API", "entrypoint"), _LATENCY
)
REQUEST_LOG_COUNT = Counter("/tensorflow/serving/request_log_count", ("model_name", "status_code"))
RUNTIME_LATENCY = Histogram(
    "/tensorflow/serving/runtime_latency", ("model_name", "API", "runtime"), _LATENCY
)
EXAMPLE_COUNTS = Histogram(
    "/tensorflow/serving/request_example_counts", ("model",), _powers(1, 2, 15)
)
EXAMPLE_COUNT_TOTAL = Counter("/tensorflow/serving/request_example_count_total", ("model",))
WARMUP_LATENCY = Histogram(
    "/tensorflow/serving/model_warmup_latency", ("model_path", "status"), _LATENCY
)
QUEUING_LATENCY = Histogram(
    "/tensorflow/serving/batching_session/queuing_latency", (), _powers(100, 1.2, 52)
)
INPUT_BATCH_SIZE = Histogram(
    "/tensorflow/serving/batching_session/input_batch_size", (), _powers(1, 2, 14)
)
PROCESSED_BATCH_SIZE = Histogram(
    "/tensorflow/serving/batching_session/processed_batch_size", (), _powers(1, 2, 14)
)
PADDING_SIZE = Histogram(
    "/tensorflow/serving/batching_session/padding_size",
    ("execution_batch_size",),
    _powers(1, 2, 14),
)
LOAD_ATTEMPT_COUNT = Counter(
    "/tensorflow/cc/saved_model/load_attempt_count", ("model_path", "status")
)
LOAD_LATENCY = Counter("/tensorflow/cc/saved_model/load_latency", ("model_path",))

_METRICS: tuple[Counter | Histogram, ...] = (
    LOAD_ATTEMPT_COUNT,
    LOAD_LATENCY,
    WARMUP_LATENCY,
    QUEUING_LATENCY,
    INPUT_BATCH_SIZE,
    PROCESSED_BATCH_SIZE,
    PADDING_SIZE,
    REQUEST_COUNT,
    REQUEST_LOG_COUNT,
    EXAMPLE_COUNT_TOTAL,
    EXAMPLE_COUNTS,
    REQUEST_LATENCY,
    RUNTIME_LATENCY,
)


def page() -> str:
    """Returns the page with every metric, sorted by name."""
    ordered = sorted(_METRICS, key=lambda metric: metric.name)
    return "".join(f"{line}\n" for metric in ordered for line in metric.lines())


def prometheus_path(file: Path) -> str:
    """Returns the path for the metrics in `--monitoring_config_file`; empty if disabled.

    Raises:
        ServerError: it cannot be read, or is not a MonitoringConfig.
    """
    try:
        text = regular_file.read_text(file)
        config = text_form.parse(text, monitoring_config_pb2.MonitoringConfig())
    except (OSError, ValueError, text_format.ParseError) as error:
        raise ServerError(
            f"--monitoring_config_file={file}: expected a text-format MonitoringConfig. "
            f"Received: {error}. Write e.g. prometheus_config {{ enable: true }}."
        ) from error
    prometheus = config.prometheus_config
    return (prometheus.path or DEFAULT_PATH) if prometheus.enable else ""


def _bounded(cells: Mapping[tuple[str, ...], object], labels: tuple[str, ...]) -> tuple[str, ...]:
    """Returns `labels`, or the catch-all labels if there are too many."""
    if labels in cells or len(cells) < _MOST_CELLS:
        return labels
    return (_BEYOND,) * len(labels)


def _pairs(names: Sequence[str], values: Sequence[str]) -> str:
    pairs = zip(names, values, strict=True)
    return ",".join(f'{name}="{_escape(value)}"' for name, value in pairs)


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _metric_name(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_]", ":", name)
