"""Framing: there and back, and against TensorFlow's own reader and writer."""

import gzip
import struct
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from etils.epath import Path
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.components.errors import DataError
from millrace.components.files import tfrecord
from millrace.components.files.tfrecord import (
    FAST,
    frame,
    masked_crc,
    read_records,
    record_writer,
    write_records,
)

RECORDS = [b"", b"one", bytes(range(256)) * 300]
NAMES = ["x.tfrecord", "x.tfrecord.gz"]
NOISE = np.random.default_rng(3)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return Path(tmp_path_factory.mktemp("records"))


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None)
@given(
    records=st.lists(st.binary(max_size=99), max_size=60),
    level=st.integers(0, 9),
    block=st.sampled_from([1, 40, 1 << 20]),
    few=st.sampled_from([1, 16]),
)
def test_records_come_back_as_they_went(scratch, name, records, level, block, few):
    with mock.patch.multiple(tfrecord, _BLOCK=block, _FEW=few):
        assert write_records(scratch / name, records, level=level) == len(records)
        assert list(read_records(scratch / name)) == records
    data = (scratch / name).read_bytes()
    framed = gzip.decompress(data) if name.endswith(".gz") else data
    assert framed == b"".join(map(frame, records))


@pytest.mark.parametrize("name", NAMES)
def test_tensorflow_reads_what_is_written(scratch, name):
    write_records(scratch / name, RECORDS)
    kind = "GZIP" if name.endswith(".gz") else ""
    dataset = tf.data.TFRecordDataset(str(scratch / name), kind)
    assert list(dataset.as_numpy_iterator()) == RECORDS


@pytest.mark.parametrize("name", NAMES)
def test_what_tensorflow_writes_is_read(scratch, name):
    kind = "GZIP" if name.endswith(".gz") else None
    with tf.io.TFRecordWriter(str(scratch / name), kind) as writer:
        for record in RECORDS:
            writer.write(record)
    assert list(read_records(scratch / name)) == RECORDS


def test_a_plain_file_is_byte_for_byte_tensorflows(scratch):
    with tf.io.TFRecordWriter(str(scratch / "theirs")) as writer:
        writer.write(b"one")
    assert (scratch / "theirs").read_bytes() == frame(b"one")


def test_the_masked_checksum_is_the_formats():
    # CRC-32C of "123456789" is 0xE3069283 (RFC 3720, B.4); rotated right by 15, plus the mask.
    assert masked_crc(b"123456789") == (0x2507C60D + 0xA282EAD8) & 0xFFFFFFFF


def test_the_same_records_give_the_same_gzip_file(scratch):
    for name in ("a.gz", "b.gz"):
        write_records(scratch / name, RECORDS)
    data = (scratch / "a.gz").read_bytes()
    assert data == (scratch / "b.gz").read_bytes()
    assert data[4:8] == bytes(4)  # no time


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 40)), max_size=3))
def test_a_block_of_records_is_written_as_each_of_them_is(scratch, shapes):
    blocks = [NOISE.integers(0, 256, shape, np.uint8) for shape in shapes]
    alone, together = scratch / "alone.tfrecord", scratch / "together.tfrecord"
    count = write_records(alone, [bytes(record) for block in blocks for record in block])
    assert write_records(together, blocks) == count
    assert together.read_bytes() == alone.read_bytes()


def test_several_files_can_be_written_at_once(scratch):
    with record_writer(scratch / "a.gz", level=FAST) as a, record_writer(scratch / "b.gz") as b:
        a(RECORDS * 9)
        for record in RECORDS:
            b([record * 2])
    assert list(read_records(scratch / "a.gz")) == RECORDS * 9
    assert list(read_records(scratch / "b.gz")) == [record * 2 for record in RECORDS]


@given(at=st.integers(0, 32), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found_and_its_record_named(scratch, at, bit):
    good = frame(b"first") + frame(b"0123456789abcdefg")
    start = len(frame(b"first")) + at
    broken = bytearray(good)
    broken[start] ^= 1 << bit
    (scratch / "broken").write_bytes(bytes(broken))
    records = read_records(scratch / "broken")
    assert next(records) == b"first"
    with pytest.raises(DataError, match=r"broken, record 1: expected .* Received: .* Write the"):
        next(records)


@pytest.mark.parametrize("name", NAMES)
def test_the_records_before_a_damaged_one_are_read(scratch, name):
    records = [b"%d" % n for n in range(100)]
    data = bytearray(b"".join(map(frame, records)))
    data[len(b"".join(map(frame, records[:60]))) + 13] ^= 1
    (scratch / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    found = []
    with pytest.raises(DataError, match=r"record 60: expected 2 bytes and their checksum"):
        found.extend(read_records(scratch / name))
    assert found == records[:60]


@given(kept=st.integers(1, 32))
def test_a_file_cut_short_is_found(scratch, kept):
    (scratch / "cut").write_bytes(frame(b"0123456789abcdefg")[:kept])
    with pytest.raises(DataError, match=r"cut, record 0: expected"):
        list(read_records(scratch / "cut"))


def test_gzip_under_a_plain_name_is_answered_with_what_to_do(scratch):
    (scratch / "plain").write_bytes(gzip.compress(frame(b"one" * 20)))
    with pytest.raises(DataError, match=r"GZIP needs a name ending in `\.gz`"):
        list(read_records(scratch / "plain"))


def test_a_header_that_promises_more_than_memory_has_is_a_record_cut_short(tmp_path):
    header = struct.pack("<Q", 2**40)
    framed = header + struct.pack("<I", masked_crc(header)) + b"few"
    for name, content in (("x", framed), ("x.gz", gzip.compress(framed))):
        (tmp_path / name).write_bytes(frame(b"one") + framed if name == "x" else content)
        with pytest.raises(DataError, match=r"expected 1099511627776 bytes .* Received: 3 bytes"):
            list(read_records(Path(tmp_path / name)))


def test_a_large_record_comes_back_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(tfrecord, "_AT_ONCE", 7)
    for name in NAMES:
        write_records(Path(tmp_path / name), RECORDS)
        assert list(read_records(Path(tmp_path / name))) == RECORDS


@pytest.mark.parametrize(
    ("harm", "received"),
    [
        (lambda data: data[: len(data) // 2], "Compressed file ended"),
        (lambda data: data[:10] + b"\xff" * 4 + data[14:], "Error -3 while decompressing"),
        (lambda data: data[:-8] + bytes(8), "CRC check failed"),
        (lambda data: b"plain", "Not a gzipped file"),
    ],
)
def test_a_damaged_gzipped_file_is_named(tmp_path, harm, received):
    file = Path(tmp_path / "x.gz")
    write_records(file, [bytes(range(256))] * 9)
    file.write_bytes(harm(file.read_bytes()))
    with pytest.raises(DataError, match=rf"x\.gz: expected a TFRecord file .*{received}"):
        list(read_records(file))
