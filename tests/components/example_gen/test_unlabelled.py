"""Rows to be predicted become records, read as the model's training data was."""

import json
import shutil

import numpy as np
import pytest
from etils.epath import Path

from millrace.components.artifacts import Analysis, Model, RawFiles
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.example_gen.series import series_example_gen
from millrace.components.example_gen.tables import csv_example_gen
from millrace.components.example_gen.unlabelled import takes_rows, unlabelled_example_gen
from millrace.components.features import spec as specs
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.files.tfrecord import read_records
from millrace.serving.example import decode
from tests.components.example_gen.conftest import spoil

NUMBER, STRING = {"dtype": "float32", "shape": [None]}, {"dtype": "string", "shape": [None]}


@pytest.fixture
def model(tmp_path):
    def make(kind, **inputs):
        folder = Path(tmp_path / f"model-{kind}")
        folder.mkdir(exist_ok=True)
        signatures = {"serving_default": {"inputs": inputs}}
        (folder / "model.json").write_text(json.dumps({"kind": kind, "signatures": signatures}))
        return Model(folder)

    return make


@pytest.fixture
def read(tmp_path):
    def run(source, model, learnt=None, analysis=None, **options):
        out = Path(tmp_path / "out")
        out.mkdir()
        found = unlabelled_example_gen(RawFiles(source), model, learnt, analysis, out, **options)
        shards = found.files("unlabelled")
        return found, [[decode(each) for each in read_records(shard)] for shard in shards]

    return run


def _learnt(tmp_path, ingest, text, **options):
    file = Path(tmp_path / "learnt.csv")
    file.write_text(text)
    out = Path(tmp_path / "learnt")
    out.mkdir()
    return ingest(RawFiles(file), out, run_on=BeamOptions(), **options)


def test_cells_are_read_as_the_training_datas_were(tmp_path, model, read):
    learnt = _learnt(
        tmp_path, csv_example_gen, "sold;area;price\n31.12.2020;1,5;1\n01.01.2021;2,5;2\n"
    )
    Path(tmp_path / "new.csv").write_text("price,area,sold\n9,'7,5',05.06.2022\n".replace("'", '"'))
    taking = model("table", **{"area": NUMBER, "sold/year": NUMBER})
    found, ((row,),) = read(Path(tmp_path / "new.csv"), taking, learnt)
    assert {name: value[0] for name, value in row.items()} == {
        "filename": b"new.csv, line 2",
        "area": 7.5,
        "sold/year": 2022,
    }
    assert found.counts == {"unlabelled": 1}


def test_rows_of_a_folder_lie_in_shards_in_their_order(tmp_path, model, read):
    folder = Path(tmp_path / "new")
    folder.mkdir()
    (folder / "b.csv").write_text("area\n3\n")
    (folder / "a.csv").write_text("area\n1\n2\n")
    _, shards = read(folder, model("table", area=NUMBER), rows_per_shard=2)
    assert [[row["area"].tolist() for row in shard] for shard in shards] == [[[1], [2]], [[3]]]
    assert shards[1][0]["filename"] == [b"b.csv, line 2"]


def test_a_forecaster_gets_the_end_of_each_series(tmp_path, model, read):
    rows = [f"2020-01-0{1 + hour // 24}T{hour % 24:02d},{hour}" for hour in range(72)]
    learnt = _learnt(tmp_path, series_example_gen, "\n".join(["when,y", *rows]))
    spec = SeriesSpec(("y",), 2, 2, "h", (0.0,), (1.0,), (1.0,))
    analysis = Analysis(Path(tmp_path))
    specs.write(spec, analysis.file)
    Path(tmp_path / "new.csv").write_text("y,when\n5,2021-01-01T10\n6,2021-01-01T11\n")
    window = {"dtype": "float32", "shape": [None, 2, 1]}
    _, ((row,),) = read(
        Path(tmp_path / "new.csv"), model("series", window=window), learnt, analysis
    )
    assert row["window"].tolist() == [5, 6]
    assert row["filename"] == [b"new.csv"]
    assert row["forecast/times"] == [b"2021-01-01 12:00:00", b"2021-01-01 13:00:00"]


def test_a_forecaster_of_unknown_origin_is_refused(tmp_path, model, read):
    Path(tmp_path / "new.csv").write_text("y,when\n5,2021-01-01T10\n")
    window = {"dtype": "float32", "shape": [None, 2, 1]}
    with pytest.raises(DataError, match=r"that a run of this store has pushed, .*Ask under the"):
        read(Path(tmp_path / "new.csv"), model("series", window=window))


def test_rows_that_cannot_be_read_are_set_aside_up_to_the_limit(tmp_path, model, read):
    learnt = _learnt(tmp_path, csv_example_gen, "area,price\n1.5,1\n2.5,2\n")
    Path(tmp_path / "new.csv").write_text("area\n1\nmuch\n")
    taking = model("table", area=NUMBER)
    with pytest.raises(DataError, match=r"(?s)at most 1\.00% .*new\.csv, line 3: column 'area'"):
        read(Path(tmp_path / "new.csv"), taking, learnt)
    Path(tmp_path / "out").rmtree()
    found, _ = read(Path(tmp_path / "new.csv"), taking, learnt, max_rejected=0.5)
    assert (found.counts, found.summary["rejected"]) == ({"unlabelled": 1}, 1)


def test_pictures_alone_are_no_rows(tmp_path, model):
    assert not takes_rows(model("image", image_bytes=STRING))
    assert takes_rows(model("text", text=STRING))
    assert takes_rows(model("table", text=STRING))
    assert not takes_rows(Model(Path(tmp_path / "bare")))


TEXTS = {
    "a/1.txt": "good",
    "a/2.txt": "\ufeffgr\u00fcn",
    ".DS_Store": "x",
    "b/3": " ",
}


@pytest.mark.parametrize("packed", [False, True])
def test_each_file_of_a_folder_or_an_archive_is_a_text(tmp_path, model, read, packed):
    for path, text in TEXTS.items():
        place = tmp_path / "texts" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    source = tmp_path / "texts"
    if packed:
        source = shutil.make_archive(str(source), "zip", source)
    found, (rows,) = read(Path(source), model("text", text=STRING), max_rejected=0.5)
    kept = [(row["filename"], row["text"]) for row in rows]
    assert kept == [([b"a/1.txt"], [b"good"]), ([b"a/2.txt"], ["gr\u00fcn".encode()])]
    assert [item.source for item in found.rejected()] == ["b/3"]
    assert (found.summary["notes"]["found"], found.summary["notes"]["ignored"]) == (4, 1)


def test_scalars_of_a_generator_are_not_read_from_a_row(tmp_path, model, read):
    prompts = model("language", prompt=STRING, length={"dtype": "int32", "shape": []})
    Path(tmp_path / "new.csv").write_text("id,text\n1,once upon\n")
    assert takes_rows(prompts)
    _, ((row,),) = read(Path(tmp_path / "new.csv"), prompts)
    assert row["text"] == [b"once upon"]
    assert not any(isinstance(value, np.ndarray) for value in row.values())


def test_what_is_not_a_readable_file_is_set_aside_and_counted(tmp_path, model, read):
    folder = Path(tmp_path / "new")
    folder.mkdir()
    aside = spoil(folder, ".csv")
    (folder / "a.csv").write_text("area\n1\n2\n")
    found, _ = read(folder, model("table", area=NUMBER), max_rejected=0.5)
    assert found.counts == {"unlabelled": 2}
    assert list(found.rejected()) == aside
