"""What parts the cells of a file, detected from its beginning."""

import pytest

from millrace.components.example_gen.csv import delimiters


@pytest.mark.parametrize(
    ("sample", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2,5\n3,5;4,5\n", ";"),
        ("a\tb c\n1\t2\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ('a,b\n"x;y",2\n"u;v",3\n', ","),
        ("a\n1\n2\n", ","),
        ("1,5;2\n3,5;4\n", ";"),
        ("a;b;c\n1;2;3\n1;2\n4;5;6\n", ";"),
        ("id,tags\n1,a;b\n2,c;d\n3,e;f\n", ","),  # the header has no list
        ("id;size\n1;2,5\n2;3,5\n3;4,5\n", ";"),
    ],
)
def test_the_delimiter_is_what_parts_the_records_alike(sample, delimiter):
    assert delimiters.detect_delimiter(sample) == delimiter
