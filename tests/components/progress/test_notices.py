"""How long work takes still, in words."""

import pytest

from millrace.components.progress import notices


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "about 0 s to go"), (119, "about 119 s to go"), (150, "about 2 min to go")],
)
def test_what_is_left_is_told_in_seconds_and_from_two_minutes_on_in_minutes(seconds, text):
    assert notices.to_go(seconds) == text
