"""Lines of a label and pixels to image records; bad lines set aside; nothing in memory."""

import io

import numpy as np
import pytest
from etils.epath import Path
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from millrace.components.artifacts import RawFiles
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.example_gen.csv import spans
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.images.pixel_rows import draw, shape
from millrace.components.example_gen.pixels import pixels_example_gen
from tests.components.example_gen.conftest import files_of, records_of, spoil

HEADER = "label,pixel1,pixel2,pixel3,pixel4\n"


@pytest.fixture
def ingest(tmp_path, out):
    def run(files, **options):
        root = tmp_path / "source"
        root.mkdir()
        for name, text in files.items():
            (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        source = root / next(iter(files)) if len(files) == 1 else root
        settings = {"splits": {"train": 1.0}, "max_rejected": 0.9, **options}
        return pixels_example_gen(RawFiles(Path(source)), out, run_on=BeamOptions(), **settings)

    return run


def decoded(record):
    return np.asarray(Image.open(io.BytesIO(record["image/encoded"][0])))


def test_a_line_becomes_a_picture_with_its_class(ingest):
    examples = ingest({"signs.csv": HEADER + "10,0,1,2,255\n2,9,8,7,6\n"})
    first, second = records_of(examples)["train"]
    assert decoded(first).tolist() == [[0, 1], [2, 255]]
    assert decoded(second).tolist() == [[9, 8], [7, 6]]
    assert (first["image/class/text"], first["image/filename"]) == ([b"10"], [b"signs.csv#2"])
    numbers = [f"image/{name}" for name in ("height", "width", "channels", "class/label")]
    assert [first[name].tolist() for name in numbers] == [[2], [2], [1], [1]]
    assert second["image/class/label"].tolist() == [0]  # 2 comes before 10


def test_bad_lines_are_set_aside_by_their_number(ingest):
    lines = ["a,1,2,3,4", "b,1,2,3", "", "a,1,2,x,4", "b,1,2,256,4", ",1,2,3,4", "b,5,6,7,8"]
    examples = ingest({"signs.csv": HEADER + "\n".join(lines)})
    assert [(item.position, item.reason) for item in examples.rejected()] == [
        ("line 3", "expected 5 cells, received 4: b,1,2,3"),
        ("line 5", "pixel 'x' is not a whole number from 0 to 255"),
        ("line 6", "pixel '256' is not a whole number from 0 to 255"),
    ]
    assert examples.summary["notes"]["unlabelled"] == 1
    assert examples.counts == {"train": 2}
    assert examples.summary["notes"]["found"] == 6


def test_the_names_of_files_say_their_split_and_train_gives_some_to_eval(ingest):
    train = HEADER + "".join(f"{n % 2},{n},{n},{n},{n}\n" for n in range(40))
    files = {"sign_mnist_train.csv": train, "sign_mnist_test.csv": HEADER + "0,1,2,3,4\n"}
    examples = ingest(files, eval_from_train=0.25)
    assert examples.counts["test"] == 1
    assert examples.counts["train"] + examples.counts["eval"] == 40
    assert examples.counts["eval"] > 0


def test_a_lone_file_of_train_is_of_that_and_one_of_test_of_none(ingest, tmp_path):
    assert ingest({"SignTrain.csv": lines(lambda n: str(n % 2), "first")}).counts == {"train": 40}
    (tmp_path / "source" / "SignTrain.csv").rename(tmp_path / "source" / "test.csv")
    out = Path(tmp_path / "again")
    out.mkdir()
    source = RawFiles(Path(tmp_path / "source"))
    shares = {"train": 0.5, "eval": 0.5}
    again = pixels_example_gen(source, out, run_on=BeamOptions(), splits=shares)
    assert sorted(again.counts) == ["eval", "train"]


def test_a_file_without_a_header_may_have_its_label_first(ingest):
    examples = ingest({"signs.csv": b"\xef\xbb\xbf0,1,2,3,4\n1,5,6,7,8\n"})
    records = records_of(examples)["train"]
    assert [record["image/class/text"] for record in records] == [[b"0"], [b"1"]]


def test_columns_in_another_order_quotes_and_delimiters_are_read(ingest):
    text = 'p1;"kind";p2;p3;p4;p5;p6\r\n1;"cat";2;3;4;5;6\r\n1;dog;2;3;4;5;7\r\n'
    options = {"label_column": "kind", "csv": CsvFormat(delimiter=";"), "height": 1, "channels": 3}
    first, second = records_of(ingest({"signs.csv": text}, **options))["train"]
    assert decoded(first).tolist() == [[[1, 2, 3], [4, 5, 6]]]
    assert second["image/class/text"] == [b"dog"]


def test_blocks_and_shards_change_no_record(ingest, monkeypatch, tmp_path):
    monkeypatch.setattr(spans, "_BLOCK", 40)
    lines = [f"{n % 2},{n},{n},{n},{n}" for n in range(20)]
    examples = ingest({"signs.csv": HEADER + "\n".join(lines)}, shards=4)
    assert 1 < len(examples.files("train")) <= 4
    names = {record["image/filename"][0] for record in records_of(examples)["train"]}
    assert names == {f"signs.csv#{number}".encode() for number in range(2, 22)}
    again = Path(tmp_path / "again")
    again.mkdir()
    pixels_example_gen(
        RawFiles(Path(tmp_path / "source")),
        again,
        run_on=BeamOptions(),
        splits={"train": 1.0},
        shards=4,
    )
    assert files_of(type(examples)(again)) == files_of(examples)


@given(st.integers(1, 6), st.integers(1, 6), st.sampled_from([1, 3, 4]), st.data())
def test_pixels_survive_the_way_through_a_png(height, width, channels, data):
    count = height * width * channels
    pixels = bytes(data.draw(st.lists(st.integers(0, 255), min_size=count, max_size=count)))
    array = np.frombuffer(pixels, np.uint8).reshape(height, width, channels)
    image = Image.open(io.BytesIO(draw(array).encoded))
    assert image.size == (width, height)
    assert image.tobytes() == pixels


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((784, None, None, None), (28, 28, 1)),
        ((3072, None, None, None), (32, 32, 3)),
        ((784, 14, None, None), (14, 56, 1)),
        ((784, None, 14, 1), (56, 14, 1)),
        ((784, 28, 27, None), None),
        ((10, None, None, None), None),
        ((784, None, None, 3), None),
    ],
)
def test_the_shape_follows_from_the_number_of_pixels(given, expected):
    assert shape(*given) == expected


def test_columns_that_make_no_picture_and_a_lone_class_are_refused(ingest):
    with pytest.raises(DataError) as caught:
        ingest({"x.csv": "label,a,b\n0,1,2\n1,3,4\n"})
    assert str(caught.value).partition("x.csv: ")[2] == (
        "expected one label and the pixels of a picture. Received: 2 pixels, which do "
        "not make a picture of the options' size, or a square. Set the options height, width and "
        "channels, or csv.delimiter."
    )


def test_a_lone_class_and_a_column_that_is_not_there_are_refused(ingest, tmp_path, out):
    with pytest.raises(DataError, match=r"lines of at least two classes\. Received: 7\."):
        ingest({"signs.csv": HEADER + "7,1,2,3,4\n"})
    with pytest.raises(DataError, match=r"the column 'kind'\. Received: label, pixel1, .* so on"):
        pixels_example_gen(
            RawFiles(Path(tmp_path / "source")), out, run_on=BeamOptions(), label_column="kind"
        )


def test_a_folder_without_a_csv_and_a_file_that_is_not_text_are_refused(tmp_path, out):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="Received: a folder without one"):
        pixels_example_gen(RawFiles(Path(tmp_path / "empty")), out, run_on=BeamOptions())
    (tmp_path / "x.csv").write_bytes(b"\x89PNG\xff\n")
    with pytest.raises(DataError, match=r"x\.csv: expected one label .* Received: 0 pixels"):
        pixels_example_gen(RawFiles(Path(tmp_path / "x.csv")), out, run_on=BeamOptions())


def test_a_number_of_thousands_of_digits_is_not_a_pixel(ingest):
    examples = ingest({"x.csv": HEADER + "a,1,2,3,4\nb,1,2,3,4\na,1,2,3," + "9" * 5000 + "\n"})
    assert [item.reason for item in examples.rejected()] == [
        f"pixel '{'9' * 20}' is not a whole number from 0 to 255"
    ]


def lines(label, place, count=40):
    """Lines of 2x2 pixels with `label` of the number of the line as first or last cell."""
    found = []
    for number in range(count):
        pixels = [str(number * factor % 256) for factor in (37, 91, 53, 149)]
        cells = [label(number), *pixels] if place == "first" else [*pixels, label(number)]
        found.append(",".join(cells))
    return "\n".join(found) + "\n"


@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize(
    "label",
    [
        lambda n: str(n % 10),
        lambda n: str(1 + n % 4),
        lambda n: str(n % 25 + (n % 25 > 8)),  # the signs: no J
        lambda n: "ab"[n % 2],
        lambda n: str(1000 + n % 3),
    ],
)
def test_without_a_header_the_label_is_found_by_its_values_and_said(ingest, place, label, caplog):
    caplog.set_level("INFO")
    records = records_of(ingest({"x.csv": lines(label, place)}))["train"]
    found = [record["image/class/text"][0].decode() for record in records]
    assert found == [label(number) for number in range(40)]
    assert [decoded(record).ravel()[0] for record in records] == [n * 37 % 256 for n in range(40)]
    name, where = {"first": ("column_1", "1 of 5"), "last": ("column_5", "5 of 5")}[place]
    assert f"classes are in column '{name}' ({where})" in caplog.text


def test_a_label_that_could_be_first_or_last_is_refused_and_both_ways_out_work(ingest, tmp_path):
    text = "".join(f"{n % 2},9,{n},7,{n // 2 % 2}\n" for n in range(8))
    with pytest.raises(DataError, match=r"Received: 2 values \(0, 1\) in the first, 2 values"):
        ingest({"x.csv": text})
    for place, expected in (("first", [0, 1, 0, 1]), ("last", [0, 0, 1, 1])):
        out = Path(tmp_path / place)
        out.mkdir()
        examples = pixels_example_gen(
            RawFiles(Path(tmp_path / "source")),
            out,
            run_on=BeamOptions(),
            splits={"train": 1.0},
            label_column=place,
        )
        records = records_of(examples)["train"][:4]
        assert [int(record["image/class/text"][0]) for record in records] == expected


@pytest.mark.parametrize(
    "header",
    ["label,0,1,2,3", "p1,p2,p3,p4,Target", "kind,1x1,1x2,2x1,2x2", "0,1,2,3,label"],
)
def test_the_label_is_found_by_the_names_of_the_columns(ingest, header):
    place = "last" if header[0] in "p0" else "first"
    records = records_of(ingest({"x.csv": header + "\n" + lines(lambda n: "ab"[n % 2], place)}))
    found = [record["image/class/text"][0] for record in records["train"]]
    assert found == [b"ab"[n % 2 :][:1] for n in range(40)]


def numbered(order, count=40):
    """Lines of 2x2 pixels `p`, a class `c` and the number of the row `n`, in that order."""
    rows = []
    for row in range(count):
        pixels = iter([row * factor % 256 for factor in (37, 91, 53, 149)])
        rows.append(
            ",".join(
                str({"c": row % 3, "n": row}.get(o) or 0) if o != "p" else str(next(pixels))
                for o in order
            )
        )
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize(
    ("order", "header", "left_out"),
    [
        ("ncpppp", ",label,p0,p1,p2,p3", "column_1"),
        ("ncpppp", "id,label,0,1,2,3", "id"),
        ("ncpppp", ",label,0,1,2,3", "column_1"),
        ("nppppc", "Unnamed: 0,p0,p1,p2,p3,kind", "Unnamed: 0"),
        ("cppppn", "label,p0,p1,p2,p3,index", "index"),
        ("nppcpp", "row_id,p0,p1,label,p2,p3", "row_id"),
        ("npppcp", "name,p0,p1,p2,class,p3", "name"),
        ("cnpppp", "letter,file_name,p0,p1,p2,p3", "file_name"),
        ("npppcp", "a,p0,p1,p2,b,p3", "a"),
        ("npppcp", "c0,c1,c2,c3,label,c4", "c0"),
        ("ncpppp", "", "column_1"),
        ("cppppn", "", "column_6"),
        ("nppppc", "", "column_1"),
        ("cnpppp", "", "column_2"),
    ],
)
def test_a_column_that_is_neither_class_nor_pixel_is_left_out_and_said(
    ingest, caplog, order, header, left_out
):
    caplog.set_level("INFO")
    text = f"{header}\n{numbered(order)}" if header else numbered(order)
    options = {"label_column": "b"} if header.startswith("a,") else {}
    records = records_of(ingest({"x.csv": text}, **options))["train"]
    assert [int(record["image/class/text"][0]) for record in records] == [n % 3 for n in range(40)]
    assert decoded(records[39]).tolist() == [[163, 221], [19, 179]]
    assert f"pixels in the others but '{left_out}', left out" in caplog.text


def test_columns_of_which_none_is_known_to_be_the_class_are_refused_by_name(ingest, tmp_path, out):
    with pytest.raises(
        DataError, match=r"beside the pixels\. Received: 'a', 'b'\. Name it by the "
    ):
        ingest({"x.csv": "a,p0,p1,p2,b,p3\n" + numbered("npppcp")})
    (tmp_path / "source" / "x.csv").write_text("id,p0,p1,p2,p3\n" + numbered("npppp"))
    with pytest.raises(DataError, match=r"beside the pixels\. Received: 'id'\. Name it by the "):
        pixels_example_gen(RawFiles(Path(tmp_path / "source")), out, run_on=BeamOptions())


def test_a_class_map_and_a_file_without_labels_beside_it_are_ignored_and_said(ingest, caplog):
    files = {
        "train.csv": HEADER + "0,1,2,3,4\n1,5,6,7,8\n",
        "test.csv": "pixel1,pixel2,pixel3,pixel4\n1,2,3,4\n",
        "labels.csv": "label,name\n0,cat\n1,dog\n",
        "classes.txt": "0 cat\n1 dog\n",
    }
    examples = ingest(files)
    assert examples.counts == {"train": 2}
    notes = examples.summary["notes"]
    assert (notes["ignored"], notes["found"]) == (3, 5)
    assert "labels.csv is ignored: 2 columns are no pixels" in caplog.text
    assert "test.csv is ignored: it has no class" in caplog.text


def test_another_encoding_whole_floats_and_no_label_are_understood(ingest):
    text = "label;p1;p2;p3;p4\na;1.0;2.0;3.0;4.0\nb;1;2;3;4\n;1;2;3;4\n"
    examples = ingest({"x.csv": text.encode("utf-16")})
    first, second = records_of(examples)["train"]
    assert decoded(first).tolist() == decoded(second).tolist() == [[1, 2], [3, 4]]
    assert examples.summary["notes"]["unlabelled"] == 1
    assert examples.summary["notes"]["found"] == 3


def test_what_is_not_a_readable_file_is_set_aside_and_counted(tmp_path, out):
    root = tmp_path / "source"
    root.mkdir()
    aside = spoil(root, ".csv")
    (root / "a.csv").write_text(HEADER + "1,0,1,2,255\n2,9,8,7,6\n")
    examples = pixels_example_gen(
        RawFiles(Path(root)), out, run_on=BeamOptions(), splits={"train": 1.0}, max_rejected=0.5
    )
    assert examples.counts == {"train": 2}
    assert list(examples.rejected()) == aside
