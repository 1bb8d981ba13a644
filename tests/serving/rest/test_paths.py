"""Paths: what each means, and which are refused."""

import pytest

from millrace.serving.errors import InvalidArgumentError
from millrace.serving.rest import paths
from millrace.serving.rest.paths import Target

GOOD = {
    ("POST", "/v1/models/m:predict"): Target("m", "predict"),
    ("POST", "/V1/Models/M:Classify"): Target("M", "classify"),
    ("POST", "/v1/models/m/versions/00000123:regress"): Target("m", "regress", 123),
    ("POST", "/v1/models/m/labels/a%20b:predict"): Target("m", "predict", None, "a b"),
    ("POST", "/v1/models/a%2Fb%3Ac:predict"): Target("a/b:c", "predict"),
    ("GET", "/v1/models/m"): Target("m", ""),
    ("GET", "/v1/models/m/versions/7"): Target("m", "", 7),
    ("GET", "/v1/models/m/metadata"): Target("m", "metadata"),
    ("GET", "/v1/models/m/labels/stable/METADATA"): Target("m", "metadata", None, "stable"),
    ("GET", "/v1/models/metadata"): Target("metadata", ""),
    ("GET", "/v1/models/m?x=1"): Target("m?x=1", ""),
}


@pytest.mark.parametrize(("verb", "path"), GOOD)
def test_a_path_names_a_model_and_a_method(verb, path):
    assert paths.parse(verb, path) == GOOD[verb, path]


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        *(("POST", "/v1/models/m"), ("GET", "/v1/models/m:predict"), ("PUT", "/v1/models/m")),
        *(("POST", "/v1/models/m:predict?x=1"), ("POST", "/v1/models/m/versions/x:predict")),
        *(("POST", "/v1/models/m/versions/1/labels/a:predict"), ("GET", "/v1/nothing")),
        *(("POST", "/v1/models/m:multiInference"), ("GET", "/v1/models/a/b/c")),
        ("POST", "/v1/models/m/versions/\u0661:predict"),
    ],
)
def test_any_other_path_is_malformed(verb, path):
    with pytest.raises(InvalidArgumentError) as refusal:
        paths.parse(verb, path)
    assert str(refusal.value) == f"Malformed request: {verb} {path}"


def test_a_model_must_be_named():
    with pytest.raises(InvalidArgumentError, match=r"^Missing model name in request\.$"):
        paths.parse("GET", "/v1/models")


@pytest.mark.parametrize("version", [2**63, "9" * 10_000])
def test_a_version_has_63_bits(version):
    with pytest.raises(InvalidArgumentError) as refusal:
        paths.parse("GET", f"/v1/models/m/versions/{version}")
    assert str(refusal.value) == f"Failed to convert version: {version} to numeric."


def test_the_largest_version_is_read():
    assert paths.parse("GET", f"/v1/models/m/versions/0{2**63 - 1}").version == 2**63 - 1


def test_a_label_and_a_signature_are_put_into_the_message():
    spec = Target("m", "predict", None, "stable").spec("s")
    assert (spec.name, spec.version_label, spec.signature_name) == ("m", "stable", "s")
    assert not spec.HasField("version")
