"""analysis.json, written and read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.errors import DataError
from millrace.components.features import spec
from millrace.components.features.image_spec import ImageSpec

NAMES = st.lists(st.text(max_size=5), min_size=2, max_size=4).map(tuple)
FLOATS = st.lists(st.floats(0, 1e6), max_size=3).map(tuple)


@given(
    st.builds(
        ImageSpec,
        classes=NAMES,
        height=st.integers(1, 999),
        width=st.integers(1, 999),
        channels=st.sampled_from([1, 3]),
        resize=st.sampled_from(["stretch", "pad", "crop"]),
        scale=st.sampled_from(["unit", "symmetric", "standardise", "none"]),
        mean=FLOATS,
        variance=FLOATS,
    )
)
def test_what_is_written_is_read_back(tmp_path_factory, found):
    file = tmp_path_factory.mktemp("spec") / "analysis.json"
    spec.write(found, file)
    assert spec.read(file) == found


def test_the_file_is_plain_json_with_its_kind(tmp_path):
    spec.write(ImageSpec(("a", "b"), 2, 3, 1), tmp_path / "analysis.json")
    assert json.loads((tmp_path / "analysis.json").read_text()) == {
        "kind": "image",
        "classes": ["a", "b"],
        "height": 2,
        "width": 3,
        "channels": 1,
        "resize": "stretch",
        "scale": "unit",
        "mean": [],
        "variance": [],
        "hook": None,
    }


def test_another_form_is_refused_with_the_place_and_what_to_do(tmp_path):
    file = tmp_path / "analysis.json"
    file.write_text('{"kind": "image", "classes": ["a", "b"], "height": 2, "width": "x"}')
    with pytest.raises(
        DataError, match=r"analysis\.json: .*Received: image.width: .*Run `analyze` again"
    ):
        spec.read(file)
    file.write_text('{"kind": "sound"}')
    with pytest.raises(DataError, match="Run `analyze` again"):
        spec.read(file)


@pytest.mark.parametrize(("classes", "named"), [(("cat",), "'cat'"), ((), "none")])
def test_fewer_than_two_classes_are_refused(classes, named):
    with pytest.raises(DataError, match=f"two or more in the train split. Received: {named}. Put"):
        ImageSpec(classes, 2, 2, 1)
