"""What a training schema demands of requests, and the types that it gives."""

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from millrace.components.schema.serving import for_requests, kinds

SCHEMA = text_format.Parse(
    """
    feature { name: "rooms" type: INT presence { min_fraction: 1 }
              drift_comparator { jensen_shannon_divergence { threshold: 0.5 } } }
    feature { name: "area" type: FLOAT
              skew_comparator { jensen_shannon_divergence { threshold: 0.3 } } }
    feature { name: "town" type: BYTES domain: "town" }
    feature { name: "note" type: BYTES }
    feature { name: "price" type: FLOAT }
    string_domain { name: "town" value: "Cork" }
    dataset_constraints { min_examples_count: 1000 }
    """,
    schema_pb2.Schema(),
)


def test_labels_and_demands_on_the_data_set_go_and_limits_for_skew_come():
    taken = {"rooms", "area", "town", "note", "more"}
    assert for_requests(SCHEMA, taken, linf=0.2, js=0.1) == text_format.Parse(
        """
        feature { name: "rooms" type: INT presence { min_fraction: 1 }
                  skew_comparator { jensen_shannon_divergence { threshold: 0.1 } } }
        feature { name: "area" type: FLOAT
                  skew_comparator { jensen_shannon_divergence { threshold: 0.3 } } }
        feature { name: "town" type: BYTES domain: "town"
                  skew_comparator { infinity_norm { threshold: 0.2 } } }
        feature { name: "note" type: BYTES }
        string_domain { name: "town" value: "Cork" }
        """,
        schema_pb2.Schema(),
    )


def test_without_limits_none_are_set():
    found = for_requests(SCHEMA, {"rooms", "town"}, linf=None, js=None)
    assert not any(feature.HasField("skew_comparator") for feature in found.feature)


def test_features_have_the_kinds_of_examples():
    assert kinds(SCHEMA) == {
        "rooms": "int64",
        "area": "float32",
        "town": "bytes",
        "note": "bytes",
        "price": "float32",
    }
