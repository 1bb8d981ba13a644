"""Models that several tests ask, saved once."""

import pytest


@pytest.fixture(scope="session")
def grey_model(tmp_path_factory):
    """The classifier of `classifiers`, as a Model."""
    from tests.components import classifiers

    return classifiers.save(tmp_path_factory.mktemp("grey_model"))
