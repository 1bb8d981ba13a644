"""Files that are no CSV, or one that readers take differently, as the dialect is settled."""

import pytest

from millrace.components.errors import DataError
from millrace.components.example_gen.csv import dialect
from millrace.components.example_gen.csv.dialect import CsvFormat

IRIS = """% of 1936
@RELATION iris

@ATTRIBUTE 'sepal length' NUMERIC
@attribute class {setosa,versicolor}
@DATA
5.1,setosa
6.9,versicolor
"""


def settle(sample, **options):
    return dialect.settle("t.csv", sample, "utf-8", CsvFormat(**options))


@pytest.mark.parametrize(
    ("sample", "lines"),
    [
        ('{"a": 1}\n{"a": 2}\n', ", lines=True"),
        ('[\n  {\n    "a": 1\n  }\n]\n', ""),
        ('{"a": [1, 2]}', ""),
        ("[[1, 2],\n[3, 4]]\n", ""),
    ],
)
def test_json_is_not_a_table(sample, lines):
    with pytest.raises(DataError) as refused:
        settle(sample)
    assert str(refused.value) == (
        "t.csv: expected a table, one record a line. Received: JSON. Write it as CSV, such "
        f"as by pandas.read_json('t.csv'{lines}).to_csv('table.csv', index=False)."
    )


def test_the_records_of_arff_are_read_by_the_options_that_its_refusal_names():
    with pytest.raises(DataError) as refused:
        settle(IRIS)
    assert str(refused.value) == (
        "t.csv: expected a table that begins with its columns' names. Received: ARFF. Leave out "
        "what stands above its records by csv.skip_rows=6, csv.header=false and "
        "csv.names='sepal length,class'."
    )
    found = settle(IRIS, skip_rows=6, header=False, names=("sepal length", "class"))
    assert (found.names, found.delimiter, found.skipped) == (("sepal length", "class"), ",", 6)


def test_names_of_arff_that_hold_commas_are_given_as_a_list():
    with pytest.raises(DataError, match=r"""csv\.names='\["a, b", "c"\]'\.$"""):
        settle('@relation r\n@attribute "a, b" real\n@attribute c real\n@data\n1,2\n')


def test_arff_whose_records_are_out_of_sight_is_refused_without_their_line():
    with pytest.raises(DataError, match="Remove what stands above its records, and write the"):
        settle("@relation r\n@attribute a real\n")


def test_numbered_cells_of_svmlight_are_no_table():
    with pytest.raises(DataError) as refused:
        settle("+1 1:0.5 3:-1e-3\n-1 qid:2 2:3 # seen\n\n")
    assert str(refused.value) == (
        "t.csv: expected a table with a cell for each column. Received: SVMlight's form, the cells "
        "with their columns' numbers. Write it as CSV, such as by x, y = "
        "sklearn.datasets.load_svmlight_file('t.csv'); "
        "pandas.DataFrame(x.toarray()).assign(label=y).to_csv('table.csv', index=False)."
    )
    assert settle("time value\n1 1:05\n", delimiter=" ").names == ("time", "value")


def test_lines_of_old_macs_are_read_and_refused_beside_others():
    assert settle("a,b\rx,1\ry,2\r").names == ("a", "b")
    assert settle("a,b\r\nx,1\r\n").names == ("a", "b")
    assert settle("a,b\r\r\nx,1\r\r\n").names == ("a", "b")
    assert settle('a,b\n"x\ry",1\nz,2\n').names == ("a", "b")
    with pytest.raises(DataError) as caught:
        settle("a,b\rx,1\ny,2\rz,3\r")  # the header would end with the first row
    assert str(caught.value) == (
        r"t.csv: expected lines that all end alike. Received: 3 that end in \r, as on old Macs, "
        r"beside 1 \n. Write them again, such as by tr '\r' '\n' < old.csv > new.csv."
    )
    with pytest.raises(DataError, match="beside 1"):
        settle('a,b\rx,1\r"y\nz",2\r')
