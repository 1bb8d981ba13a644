"""Text that stands for a message: every escape that protobuf knows, and none that it does not."""

import pytest
from google.protobuf import text_format

from millrace.serving import text_form
from millrace.serving.protos import model_server_config_pb2 as messages


def parsed(text):
    return text_form.parse(text, messages.ModelConfig())


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (r'name: "a\tb\x41\101\7\377"', None),
        (r"name: 'a\'\"\\d\\' # \d", "a'\"\\d\\"),
        (r'name: "\u00e9\U0001F600"', "é😀"),
        ("# C:\\data\nname: \"#\\n\" 'b'", "#\nb"),
        ('name: "é"', "é"),
    ],
)
def test_what_protobuf_writes_is_read(text, name):
    if name is None:  # bytes that are no UTF-8
        with pytest.raises(text_format.ParseError, match="can't decode byte 0xff"):
            parsed(text)
    else:
        assert parsed(text).name == name


@pytest.mark.parametrize(
    ("text", "place", "escape"),
    [
        (r'name: "a\ "', (1, 9), r"\ "),
        ("base_path: \"b\"\n  name: '\\\\\\d'", (2, 12), r"\d"),
        (r'name: "\400"', (1, 8), r"\400"),
        (r'name: "\?"', (1, 8), r"\?"),
        ('name: "\\é"', (1, 8), "\\é"),
    ],
)
def test_another_escape_is_refused_with_its_place(text, place, escape):
    with pytest.raises(text_format.ParseError) as refused:
        parsed(text)
    assert (refused.value.GetLine(), refused.value.GetColumn()) == place
    assert f"Unknown escape {escape} in a string" in str(refused.value)
