"""A damaged small file is named with what it should hold, what it holds, and what to do."""

import json
import math

import pytest
from etils.epath import Path

from millrace.components.artifacts import (
    Anomalies,
    Evaluation,
    Examples,
    Hyperparameters,
    LearningRate,
    Model,
    PushedModel,
)
from millrace.components.errors import DataError
from millrace.components.example_gen.unlabelled_rows import source
from millrace.components.features import spec
from millrace.components.files import json_files

READERS = [
    ("examples.json", lambda path: Examples(path).counts),
    ("rejected.jsonl", lambda path: list(Examples(path).rejected())),
    ("anomalies.json", lambda path: Anomalies(path).found),
    ("distances.json", lambda path: Anomalies(path).distances),
    ("rate.json", lambda path: LearningRate(path).rate),
    ("best.json", lambda path: Hyperparameters(path).settings),
    ("model.json", lambda path: Model(path).description),
    ("reasons.json", lambda path: Evaluation(path).reasons),
    ("metrics.json", lambda path: Evaluation(path).metrics),
    ("metrics.json", lambda path: Evaluation(path).count),
    ("pushed.json", lambda path: PushedModel(path).push),
    ("source.json", lambda path: source.read(Examples(path))),
    ("analysis.json", lambda path: spec.read(path / "analysis.json")),
]
BROKEN = [b"", b"{", b"\xff", b"7", b'[{"a": 1}, 2]', b'{"counts": 3}', b"[" * 100_000]


@pytest.mark.parametrize(("name", "read"), READERS)
@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_file_is_refused_with_its_path(tmp_path, name, read, content):
    (tmp_path / name).write_bytes(content)
    if (name, content) in {("rejected.jsonl", b""), ("model.json", b'{"counts": 3}')}:
        return  # these are whole
    with pytest.raises(DataError, match=rf"{name}: expected .*Received: ") as refused:
        read(Path(tmp_path))
    assert "Traceback" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "read"),
    [each for each in READERS if each[0] not in ("distances.json", "source.json")],
)
def test_a_file_that_is_not_there_is_refused_with_its_path(tmp_path, name, read):
    with pytest.raises(DataError, match=rf"{name}: expected .*No such file"):
        read(Path(tmp_path))


def test_a_field_of_another_type_is_named(tmp_path):
    file = Path(tmp_path / "x.json")
    file.write_text(json.dumps({"rate": "fast"}))
    with pytest.raises(DataError) as refused:
        json_files.read_object(file, rate=(float, int))
    assert str(refused.value) == (
        f"{file}: expected 'rate' of type float or int. Received: 'fast'. The file is damaged: "
        "`millrace verify --repair` sets such artifacts aside, and the next run makes them again."
    )


def test_a_number_that_is_not_known_is_null():
    assert [json_files.or_none(value) for value in (math.nan, 0.0, -1.5)] == [None, 0.0, -1.5]
