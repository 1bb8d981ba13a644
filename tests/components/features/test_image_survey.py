"""What is counted in raw image records, and the choices that follow."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from millrace.components.features import image_survey
from millrace.components.features.image_survey import ImageSurvey
from millrace.components.files import columns
from millrace.serving.example import encode
from tests.components.pictures import file, noise, raw


def rows(*records):
    return [columns.of_records(records, "p")]


SURVEYS = st.builds(
    ImageSurvey,
    st.integers(0, 9),
    st.builds(
        Counter, st.dictionaries(st.tuples(st.integers(1, 9), st.integers(1, 9)), st.integers(1, 5))
    ),
    st.builds(Counter, st.dictionaries(st.sampled_from([1, 3, 4]), st.integers(1, 5))),
    st.builds(
        Counter,
        st.dictionaries(st.tuples(st.text(max_size=3), st.integers(-1, 3)), st.integers(1, 5)),
    ),
)


def test_records_are_counted_by_size_channels_and_class():
    found = image_survey.of(
        rows(
            raw(b"", "cat", 0, size=(4, 6), channels=3),
            raw(b"", "dog", 1, size=(4, 6)),
            raw(b"", "dog", 1, size=(8, 8)),
        )
    )
    assert found.records == 3
    assert found.sizes == {(4, 6): 2, (8, 8): 1}
    assert found.channels == {3: 1, 1: 2}
    assert found.classes == {("cat", 0): 1, ("dog", 1): 2}


def test_what_a_record_does_not_say_is_read_from_its_file():
    turned = Image.Exif()
    turned[0x0112] = 6
    files = [file(noise(3, 5, 3)), file(noise(3, 5, 3), "JPEG", exif=turned), b"junk"]
    found = image_survey.of(rows(*(encode({"image/encoded": content}) for content in files)))
    assert found.sizes == {(3, 5): 1, (5, 3): 1}
    assert found.channels == {3: 2}
    assert (found.records, found.classes) == (3, {})


def test_a_file_is_read_only_where_a_measure_is_missing():
    told = raw(file(noise(9, 9, 3)), "a", size=(4, 6))
    found = image_survey.of(rows(told, encode({"image/encoded": file(noise(3, 5, 3))})))
    assert found.sizes == {(4, 6): 1, (3, 5): 1}
    assert found.channels == {1: 1, 3: 1}


def test_a_class_without_a_name_is_called_by_its_label():
    found = image_survey.of(rows(encode({"image/class/label": 7})))
    assert found.classes == {("7", 7): 1}


@given(st.lists(SURVEYS, max_size=5), st.integers(0, 5))
def test_surveys_merge_the_same_in_any_grouping(parts, cut):
    together = image_survey.merge(parts)
    assert (
        image_survey.merge([image_survey.merge(parts[:cut]), image_survey.merge(parts[cut:])])
        == together
    )
    assert together.records == sum(part.records for part in parts)


@given(SURVEYS)
def test_json_gives_the_survey_back(found):
    assert ImageSurvey.from_json(found.to_json()) == found


def test_a_size_is_common_from_95_percent_on():
    assert image_survey.common_size(ImageSurvey(sizes=Counter({(9, 7): 19, (1, 1): 1}))) == (9, 7)
    assert image_survey.common_size(ImageSurvey(sizes=Counter({(9, 7): 18, (1, 1): 1}))) is None
    assert image_survey.common_size(ImageSurvey()) is None


def test_a_square_is_fitted_to_the_median_of_the_shorter_sides():
    def fitted(*sides):
        return image_survey.fitting_size(
            ImageSurvey(sizes=Counter({(side, 999): 1 for side in sides}))
        )

    assert fitted(20, 100, 400) == (96, 96)
    assert fitted(500, 600) == (128, 128)
    assert fitted(20, 21, 22) == (21, 21)
    assert image_survey.fitting_size(ImageSurvey()) == (128, 128)


def test_one_channel_is_enough_only_if_all_pictures_are_grey():
    assert image_survey.fitting_channels(ImageSurvey(channels=Counter({1: 9}))) == 1
    assert image_survey.fitting_channels(ImageSurvey(channels=Counter({1: 9, 4: 1}))) == 3
    assert image_survey.fitting_channels(ImageSurvey()) == 3
