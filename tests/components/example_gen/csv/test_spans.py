"""Stretches of a CSV: cut between records, whatever stands within quotes."""

import codecs
import csv
import dataclasses
import gzip
import io
import tempfile
from unittest import mock

import pytest
from etils.epath import Path
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.errors import DataError
from millrace.components.example_gen.csv import spans
from millrace.components.example_gen.csv.dialect import MISSING, Dialect

COMMA = Dialect(
    ",",
    '"',
    header=True,
    names=("a", "b"),
    encoding="utf-8",
    decimal="auto",
    thousands="",
    missing=MISSING,
)
CELLS = st.text('ab,"\n é', max_size=6)


def written(rows, **options):
    sink = io.StringIO()
    csv.writer(sink, lineterminator="\n", **options).writerows(rows)
    return sink.getvalue()


def records(text):
    return list(csv.reader(io.StringIO(text, newline="")))


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8), st.booleans())
def test_a_record_ends_where_a_reader_ends_it(rows, all_quoted):
    text = written(rows, quoting=csv.QUOTE_ALL if all_quoted else csv.QUOTE_MINIMAL)
    data = text.encode()
    ends = spans.record_ends(data, COMMA).tolist()
    starts = [0, *ends[:-1]]
    parts = [data[start:end].decode() for start, end in zip(starts, ends, strict=True)]
    assert "".join(parts) == text
    assert [records(part)[0] for part in parts] == [list(row) for row in rows]


@given(st.lists(st.tuples(CELLS, CELLS), max_size=8), st.integers(0, 200))
def test_the_last_end_is_that_of_the_last_whole_record(rows, length):
    data = written(rows).encode()[:length]
    ends = spans.record_ends(data, COMMA).tolist()
    assert spans.last_end(data, COMMA) == (ends[-1] if ends else 0)


@pytest.mark.parametrize(
    ("data", "end"), [(b'1,2\n3,"a\nb\n', 4), (b'"a\nb\nc', 0), (b"1,2\r3", 4), (b"", 0)]
)
def test_a_line_that_ends_within_quotes_ends_no_record(data, end):
    assert spans.last_end(data, COMMA) == end


@pytest.mark.parametrize(
    ("data", "ends"),
    [
        (b'1,5" disk\n2,"a\nb"\n', [10, 18]),
        (b'1,5" disk\n2,"a ""x""\nb"\n3,4\n', [10, 24, 28]),
        (b'"a\nb",1\n', [8]),
        (b'1,2\r\n"3\r\n4",5\r\n', [5, 15]),
        (b"1\r2\r", [2, 4]),
        (b"", []),
        (b"no end", []),
    ],
)
def test_a_quote_within_a_cell_that_none_opened_is_a_letter(data, ends):
    assert spans.record_ends(data, COMMA).tolist() == ends


def test_without_quoting_every_line_is_a_record():
    dialect = dataclasses.replace(COMMA, quote="")
    assert spans.record_ends(b'"a\nb",1\n', dialect).tolist() == [3, 8]


@given(
    st.lists(st.tuples(CELLS, CELLS), max_size=8),
    st.integers(1, 60),
    st.integers(1, 60),
    st.sampled_from([b"", codecs.BOM_UTF8]),
)
def test_stretches_are_the_file_without_its_header_and_know_their_lines(rows, size, piece, bom):
    text = written([("a", 'the\n"b"'), *rows])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "t.csv"
        file.write_bytes(bom + text.encode())
        with mock.patch.object(spans, "_PIECE", piece):
            found = list(spans.spans(Path(folder), "t.csv", "", COMMA, size))
        assert all(span.stop - span.start >= size for span in found[:-1])
        parts = [
            b"".join(data for data, _ in spans.blocks(Path(folder), span, COMMA)) for span in found
        ]
        lines = [line for s in found for _, line in spans.blocks(Path(folder), s, COMMA)]
    assert b"".join(parts).decode() == written(rows)
    assert [row for part in parts for row in records(part.decode())] == [list(r) for r in rows]
    before = 3
    for part, line in zip(parts, lines, strict=True):
        assert line == before
        before += part.count(b"\n")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_what_cannot_be_cut_is_one_stretch_of_decoded_text(tmp_path, encoding):
    (tmp_path / "t.csv").write_bytes("a,b\n1,é\n2,x\n".encode(encoding))
    dialect = dataclasses.replace(COMMA, encoding=encoding)
    (span,) = spans.spans(Path(tmp_path), "t.csv", "", dialect, 4)
    assert span.whole
    ((data, line),) = spans.blocks(Path(tmp_path), span, dialect)
    assert (data.decode(), line) == ("1,é\n2,x\n", 2)


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_a_quote_that_nothing_closes_is_refused_with_its_line(tmp_path, name):
    data = b'a,b\n1,"x ""w"" "\n2,"y\n3,z\n'
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    with pytest.raises(DataError, match=name + r", line 3: expected a quote that closes the cell"):
        list(spans.spans(Path(tmp_path), name, "", COMMA, 1000))


@pytest.mark.parametrize("left", [0, 9, 14])
def test_a_file_that_becomes_shorter_meanwhile_is_refused(tmp_path, left):
    file = tmp_path / "t.csv"
    file.write_bytes(b"a,b\n1,2\n3,4\n5,6\n")
    (span,) = spans.spans(Path(tmp_path), "t.csv", "", COMMA, 1000)
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(DataError) as refused:
        list(spans.blocks(Path(tmp_path), span, COMMA))
    assert str(refused.value) == (
        f"{file}: expected a file that stays as it is while the data is read. Received: it became "
        "shorter. Run it again when nothing writes there."
    )


def test_a_gzipped_file_is_read_as_one(tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    (span,) = spans.spans(Path(tmp_path), "t.csv.gz", "test", COMMA, 4)
    assert [data for data, _ in spans.blocks(Path(tmp_path), span, COMMA)] == [b"1,2\n"]
    assert span.split == "test"


def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(b"a,b\n1,2\n")
    with pytest.raises(
        DataError, match=r"t\.csv\.gz: expected a gzipped file\. Received: Not a gzipped file"
    ):
        list(spans.spans(Path(tmp_path), "t.csv.gz", "", COMMA, 4))


def test_a_byte_that_is_not_of_an_undivided_encoding_is_named_with_its_line(tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n1,\xe9\n"))
    with pytest.raises(
        DataError,
        match=r"t\.csv\.gz, line 2: expected utf-8\. Received: byte 0xe9\. Name the file's own",
    ):
        list(spans.spans(Path(tmp_path), "t.csv.gz", "", COMMA, 4))


@pytest.mark.parametrize(
    ("harm", "received"),
    [
        (lambda data: data[: len(data) // 2], "Compressed file ended"),
        (lambda data: data[:30] + b"\xff" * 4 + data[34:], "Error -3 while decompressing"),
        (lambda data: data[:-8] + bytes(8), "CRC check failed"),
    ],
)
def test_a_damaged_gzipped_file_is_named(tmp_path, harm, received):
    text = b"".join(b"%d,%d\n" % (row, row * row) for row in range(99))
    (tmp_path / "t.csv.gz").write_bytes(harm(gzip.compress(text)))
    with pytest.raises(DataError, match=rf"t\.csv\.gz: expected a gzipped file\. .*{received}"):
        spans.raw_bytes(Path(tmp_path / "t.csv.gz"))


def test_a_gzipped_file_many_times_its_own_size_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(spans, "_UNPACKED", 1000)
    (tmp_path / "a.gz").write_bytes(gzip.compress(bytes(1000)))
    assert spans.raw_bytes(Path(tmp_path / "a.gz")) == bytes(1000)
    (tmp_path / "b.gz").write_bytes(gzip.compress(bytes(1 << 20)))
    with pytest.raises(DataError, match=r"b\.gz: expected at most 1\d\d,\d00 bytes .* unpack it"):
        spans.raw_bytes(Path(tmp_path / "b.gz"))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no\.csv: expected a file that can be read\. .*No such"):
        spans.raw_bytes(Path(tmp_path / "no.csv"))
