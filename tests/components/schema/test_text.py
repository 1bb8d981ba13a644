"""A schema's text form, and what is wrong with a wrong one."""

import pytest
from etils.epath import Path
from tensorflow_metadata.proto.v0 import schema_pb2

from millrace.components.errors import DataError
from millrace.components.schema.text import faults_of, parse, read, write

FILE = Path("schema.pbtxt")


def test_what_is_written_is_read_back(tmp_path):
    schema = schema_pb2.Schema()
    schema.feature.add(name="image/class/text", type=schema_pb2.BYTES, domain="classes")
    schema.string_domain.add(name="classes", value=["Käse", "猫"])
    write(schema, Path(tmp_path) / "schema.pbtxt")
    assert read(Path(tmp_path) / "schema.pbtxt") == schema
    assert "猫" in (tmp_path / "schema.pbtxt").read_text()


def test_an_unknown_field_is_named_with_its_line():
    with pytest.raises(
        DataError,
        match=r'schema\.pbtxt:2: expected a tensorflow-metadata Schema .* has no field named "tpye"'
        r".*Correct the line",
    ):
        parse('feature { name: "a"\n tpye: INT }', FILE)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.pbtxt: expected a schema\.pbtxt"):
        read(Path(tmp_path) / "none.pbtxt")


def test_a_file_that_is_not_text_is_refused(tmp_path):
    file = Path(tmp_path) / "schema.pbtxt"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"expected a schema\.pbtxt"):
        read(file)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("feature { type: INT }", "a feature without a name"),
        (2 * 'feature { name: "a" type: INT }', "2 features named 'a'"),
        ('feature { name: "a" }', "feature 'a' without a type"),
        (
            'feature { name: "a" type: BYTES domain: "d" }',
            "feature 'a' of the unknown domain 'd'",
        ),
        (
            'feature { name: "a" type: INT value_count { min: 3 max: 2 } }',
            "feature 'a' with value_count.max below min",
        ),
        (
            'feature { name: "a" type: INT presence { min_fraction: 1.5 } }',
            "feature 'a' with a min_fraction outside 0 to 1",
        ),
    ],
)
def test_a_contradiction_is_refused_in_words(text, fault):
    with pytest.raises(DataError, match=f"does not contradict itself. Received: {fault}"):
        parse(text, FILE)


def test_a_sound_schema_has_no_faults():
    assert list(faults_of(parse('feature { name: "a" type: INT }', FILE))) == []
