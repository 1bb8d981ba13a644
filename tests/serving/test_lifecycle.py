"""What happens to versions when the aspired ones change; no threads."""

import pytest
from etils.epath import Path
from hypothesis import given
from hypothesis import strategies as st

from millrace.serving.errors import InvalidArgumentError, NotFoundError, RpcError
from millrace.serving.lifecycle import ModelConfig, ServedModel, VersionState


def model(**labels):
    return ServedModel(ModelConfig("half", Path("/models/half"), labels=labels))


def wanted(*numbers):
    return {number: Path(f"/models/half/{number}") for number in numbers}


def made_available(model, *numbers):
    for version in model.aspire(wanted(*numbers)):
        version.state = VersionState.AVAILABLE
    return model


def numbers(versions):
    return [version.number for version in versions]


def test_aspired_versions_are_loaded_once_highest_first():
    half = model()
    assert numbers(half.aspire(wanted(1, 3, 2))) == [3, 2, 1]
    assert half.aspire(wanted(1, 3, 2)) == []


def test_the_old_version_stays_until_the_new_one_is_available():
    half = made_available(model(), 1)
    (new,) = half.aspire(wanted(2))
    assert half.outdated() == []
    new.state = VersionState.LOADING
    assert half.outdated() == []
    new.state = VersionState.AVAILABLE
    assert numbers(half.outdated()) == [1]


def test_the_old_version_stays_if_the_new_one_fails():
    half = made_available(model(), 1)
    (new,) = half.aspire(wanted(2))
    new.state, new.error = VersionState.END, RpcError("broken")
    assert half.outdated() == []
    assert half.aspire(wanted(2)) == []
    assert half.find(None, None).number == 1


def test_everything_is_unloaded_when_nothing_is_aspired():
    half = made_available(model(), 1, 2)
    half.aspire({})
    assert numbers(half.outdated()) == [2, 1]


def test_a_failed_version_is_retried_after_it_disappeared_and_reappeared():
    half = model()
    (first,) = half.aspire(wanted(1))
    first.state, first.error = VersionState.END, RpcError("broken")
    half.aspire({})
    assert numbers(half.aspire(wanted(1))) == [1]


def moved(number):
    return {number: Path(f"/elsewhere/half/{number}")}


def test_a_failed_version_is_retried_from_another_folder_with_its_number():
    half = model()
    (first,) = half.aspire(wanted(1))
    first.state, first.error = VersionState.END, RpcError("broken")
    (second,) = half.aspire(moved(1))
    assert second.path == moved(1)[1]
    assert half.conflicting(moved(1)) == []


@pytest.mark.parametrize(
    "state", [VersionState.START, VersionState.LOADING, VersionState.AVAILABLE]
)
def test_any_other_version_keeps_its_folder_and_the_conflict_is_reported_once(state):
    half = model()
    (first,) = half.aspire(wanted(1))
    first.state = state
    assert half.conflicting(wanted(1)) == []
    assert half.aspire(moved(1)) == []
    assert half.conflicting(moved(1)) == [first]
    assert (first.path, first.elsewhere) == (wanted(1)[1], moved(1)[1])
    assert half.conflicting(moved(1)) == []


def test_a_version_being_unloaded_may_be_reloaded_from_another_folder():
    half = made_available(model(), 1)
    half.aspire({})
    half.versions[1].state = VersionState.UNLOADING
    assert (half.aspire(moved(1)), half.conflicting(moved(1))) == ([], [])
    half.versions[1].state = VersionState.END
    (again,) = half.aspire(moved(1))
    assert again.path == moved(1)[1]


def test_a_version_being_unloaded_is_reloaded_only_afterwards():
    half = made_available(model(), 1)
    half.aspire({})
    half.versions[1].state = VersionState.UNLOADING
    assert half.aspire(wanted(1)) == []
    half.versions[1].state = VersionState.END
    assert numbers(half.aspire(wanted(1))) == [1]


def test_a_version_kept_for_lack_of_another_can_be_aspired_again():
    half = made_available(model(), 1)
    half.aspire(wanted(2))
    half.aspire(wanted(1))
    assert half.versions[1].aspired
    assert half.outdated() == []


def test_a_model_is_settled_when_one_version_is_available_or_all_have_failed():
    half = model()
    assert not half.is_settled()
    one, two = half.aspire(wanted(1, 2))
    assert not half.is_settled()
    one.state, one.error = VersionState.END, RpcError("broken")
    assert not half.is_settled()
    two.state = VersionState.AVAILABLE
    assert half.is_settled()
    two.state, two.error = VersionState.END, RpcError("broken")
    assert half.is_settled()
    assert numbers(half.failed()) == [2, 1]
    half.aspire({})
    assert not half.is_settled()


def test_requests_find_the_latest_version_a_number_or_a_label():
    half = made_available(model(stable=1), 1, 2)
    assert half.find(None, None).number == 2
    assert half.find(1, None).number == 1
    assert half.find(None, "stable").number == 1
    with pytest.raises(NotFoundError, match=r"request: Specific\(half, 3\)$"):
        half.find(3, None)
    with pytest.raises(InvalidArgumentError, match=r"version label: canary$"):
        half.find(None, "canary")
    with pytest.raises(NotFoundError, match=r"request: Latest\(half\)$"):
        model().find(None, None)


@given(st.lists(st.frozensets(st.integers(1, 5), min_size=1), max_size=8))
def test_in_any_sequence_some_version_stays_available_and_loadable_aspired_ones_become_so(polls):
    half = made_available(model(), 1)
    for poll in polls:
        for version in half.aspire(wanted(*poll)):
            broken = version.number % 2 == 0
            version.state = VersionState.END if broken else VersionState.AVAILABLE
            version.error = RpcError("broken") if broken else None
        for gone in half.outdated():
            gone.state = VersionState.END
        available = set(numbers(half.in_state(VersionState.AVAILABLE)))
        loadable = {number for number in poll if number % 2}
        assert available
        assert available == loadable or not loadable
