"""The REST server that the tests of the REST client need, as a fixture of this folder too."""

from tests.serving.rest.conftest import rest

__all__ = ["rest"]
