"""Loading, swapping and leasing fake models; threads, but no TensorFlow."""

import logging
import threading
import time

import pytest
from etils.epath import Path

from millrace.serving import labels, versions
from millrace.serving.errors import (
    DeadlineExceededError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    RpcError,
    ServerError,
)
from millrace.serving.lifecycle import ModelConfig, VersionState
from millrace.serving.repository import Repository

POLL = 0.01


class Fake:
    """A model that knows its folder, and whether it was closed."""

    def __init__(self, path):
        self.name, self.closed = path.name, threading.Event()

    def close(self):
        self.closed.set()


class Loads:
    """Loads fakes; folders named in `broken` fail, those in `held` wait to be released."""

    def __init__(self):
        self.broken, self.held, self.attempts = set(), {}, []

    def __call__(self, path):
        self.attempts.append(path.name)
        if path.name in self.held:
            assert self.held[path.name].wait(10)
        if path.name in self.broken:
            raise OSError(f"{path.name} is broken")
        return Fake(path)


@pytest.fixture
def loads():
    return Loads()


@pytest.fixture
def start(tmp_path, loads):
    repositories = []

    def run(*models, wait=True, poll=POLL, **options):
        settings = {"load_retry_interval": 0.01, "max_num_load_retries": 2, **options}
        repository = Repository(loads, **settings)
        repositories.append(repository)
        configs = models or [ModelConfig("half", Path(tmp_path))]
        repository.start(configs, poll_seconds=poll)
        if wait:
            assert repository.wait_until_available()
        return repository

    yield run
    for gate in loads.held.values():
        gate.set()
    for repository in repositories:
        repository.close()


def folders(base, *names):
    for name in names:
        (base / name).mkdir(parents=True)


def until(repository, condition):
    with repository._changed:
        assert repository._changed.wait_for(condition, 10)


def states(repository, name="half"):
    return {one.version: one.state.name for one in repository.statuses(name)}


def reach(repository, **expected):
    wanted = {int(number.strip("v")): state for number, state in expected.items()}
    until(repository, lambda: states(repository) == wanted)


def test_the_latest_version_is_served(tmp_path, start):
    folders(tmp_path, "1", "00000123", "notes")
    repository = start()
    with repository.lease("half") as lease:
        assert (lease.name, lease.version, lease.model.name) == ("half", 123, "00000123")
    assert states(repository) == {123: "AVAILABLE"}


def test_with_a_poll_period_of_zero_the_disk_is_checked_once(tmp_path, start):
    folders(tmp_path, "1")
    repository = start(poll=0)
    folders(tmp_path, "2")
    time.sleep(10 * POLL)
    assert states(repository) == {1: "AVAILABLE"}


def test_a_new_version_takes_over_and_the_old_one_is_unloaded(tmp_path, start):
    folders(tmp_path, "1")
    repository = start()
    with repository.lease("half") as lease:
        old = lease.model
    folders(tmp_path, "2")
    reach(repository, v1="END", v2="AVAILABLE")
    assert old.closed.is_set()
    with repository.lease("half") as lease:
        assert lease.version == 2


def test_requests_go_to_the_old_version_while_the_new_one_loads(tmp_path, start, loads):
    folders(tmp_path, "1")
    repository = start()
    loads.held["2"] = threading.Event()
    folders(tmp_path, "2")
    reach(repository, v1="AVAILABLE", v2="LOADING")
    with repository.lease("half") as lease:
        assert lease.version == 1
    loads.held["2"].set()
    reach(repository, v1="END", v2="AVAILABLE")


def test_a_request_finishes_on_the_version_that_it_began_on(tmp_path, start):
    folders(tmp_path, "1")
    repository = start()
    with repository.lease("half") as lease:
        folders(tmp_path, "2")
        reach(repository, v1="UNLOADING", v2="AVAILABLE")
        assert not lease.model.closed.is_set()
        with pytest.raises(NotFoundError), repository.lease("half", 1):
            pass
    reach(repository, v1="END", v2="AVAILABLE")
    assert lease.model.closed.is_set()


def test_a_broken_new_version_leaves_the_old_one_and_reports_why(tmp_path, start, loads):
    folders(tmp_path, "1")
    repository = start()
    loads.broken.add("2")
    folders(tmp_path, "2")
    reach(repository, v1="AVAILABLE", v2="END")
    assert str(repository.statuses("half")[0].error) == "2 is broken"
    assert loads.attempts == ["1", "2", "2", "2"]


def test_a_load_that_fails_at_first_is_retried(tmp_path, start, loads):
    folders(tmp_path, "1")
    loads.broken.add("1")
    repository = start(wait=False, load_retry_interval=0.05, max_num_load_retries=50)
    until(repository, lambda: repository._models["half"].versions.get(1) is not None)
    loads.broken.clear()
    assert repository.wait_until_available()
    assert repository.statuses("half")[0].error is None


def test_starting_with_only_broken_versions_fails_with_the_real_servers_text(
    tmp_path, start, loads
):
    folders(tmp_path, "1")
    loads.broken.add("1")
    with pytest.raises(ServerError) as failure:
        start()
    assert str(failure.value) == (
        "1 servable(s) did not become available: "
        "{{{name: half version: 1} due to error: 1 is broken}}"
    )


def test_an_empty_base_path_is_polled_with_a_warning_each_time(tmp_path, start, caplog):
    repository = start(wait=False)
    ready = threading.Thread(target=repository.wait_until_available)
    with caplog.at_level(logging.WARNING):
        ready.start()
        ready.join(0.1)
        assert ready.is_alive()
        folders(tmp_path, "1")
        ready.join(10)
    assert not ready.is_alive()
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) > 1
    assert warnings[0] == (
        f"No versions of servable half found under base path {tmp_path}. "
        "Did you forget to name your leaf directory as a number (eg. '/1/')?"
    )


def test_a_missing_base_path_unloads_nothing_but_an_empty_one_everything(tmp_path, start, caplog):
    base = tmp_path / "models"
    folders(base, "1")
    repository = start(ModelConfig("half", Path(base)))
    base.rename(tmp_path / "away")
    with caplog.at_level(logging.WARNING):
        for _ in range(200):
            if "Could not find base path" in caplog.text:
                break
            threading.Event().wait(POLL)
    assert f"Could not find base path {base} for servable half" in caplog.text
    assert states(repository) == {1: "AVAILABLE"}
    base.mkdir()
    reach(repository, v1="END")


def test_a_version_can_be_loaded_again(tmp_path, start):
    folders(tmp_path, "1", "2")
    repository = start()
    (tmp_path / "2").rename(tmp_path / ".withdrawn")
    reach(repository, v1="AVAILABLE", v2="END")
    (tmp_path / ".withdrawn").rename(tmp_path / "2")
    reach(repository, v1="END", v2="AVAILABLE")


def test_models_have_their_own_policies_and_labels(tmp_path, start):
    folders(tmp_path / "a", "1", "2", "3")
    folders(tmp_path / "b", "1", "2", "3")
    repository = start(
        ModelConfig("a", Path(tmp_path / "a"), versions.Latest(2), {"stable": 2}),
        ModelConfig("b", Path(tmp_path / "b"), versions.Specific(frozenset({1}))),
    )
    repository.check_labels()
    assert states(repository, "a") == {3: "AVAILABLE", 2: "AVAILABLE"}
    assert states(repository, "b") == {1: "AVAILABLE"}
    with repository.lease("a", label="stable") as lease:
        assert lease.version == 2
    assert repository.statuses("c") == []


def test_labels_beside_the_versions_are_followed_and_their_versions_served(tmp_path, start):
    folders(tmp_path, "1", "2", "3")
    labels.write(Path(tmp_path), {"stable": 1, "gone": 7})
    repository = start()
    reach(repository, v1="AVAILABLE", v3="AVAILABLE")
    repository.check_labels()
    with repository.lease("half", label="stable") as lease:
        assert lease.version == 1
    with repository.lease("half") as lease:
        assert lease.version == 3
    with (
        pytest.raises(NotFoundError, match=r"Specific\(half, 7\)"),
        repository.lease("half", label="gone"),
    ):
        pass
    labels.write(Path(tmp_path), {"stable": 2})
    reach(repository, v1="END", v2="AVAILABLE", v3="AVAILABLE")
    with repository.lease("half", label="stable") as lease:
        assert lease.version == 2
    (tmp_path / labels.FILE).unlink()
    reach(repository, v1="END", v2="END", v3="AVAILABLE")
    with pytest.raises(InvalidArgumentError), repository.lease("half", label="stable"):
        pass


def test_the_labels_of_the_configuration_win(tmp_path, start):
    folders(tmp_path, "1", "2")
    labels.write(Path(tmp_path), {"stable": 1})
    repository = start(ModelConfig("half", Path(tmp_path), labels={"stable": 2}))
    with repository.lease("half", label="stable") as lease:
        assert lease.version == 2


def test_labels_that_cannot_be_read_stay_as_they_were(tmp_path, start, caplog):
    folders(tmp_path, "1", "2")
    labels.write(Path(tmp_path), {"stable": 1})
    repository = start(poll=0)
    reach(repository, v1="AVAILABLE", v2="AVAILABLE")
    (tmp_path / labels.FILE).write_text("[")
    repository._poll()
    assert "Servable half: its labels stay as they were" in caplog.text
    with repository.lease("half", label="stable") as lease:
        assert lease.version == 1


def test_a_label_needs_an_available_version(tmp_path, start):
    folders(tmp_path, "1")
    repository = start(ModelConfig("half", Path(tmp_path), labels={"next": 2}))
    with pytest.raises(FailedPreconditionError) as failure:
        repository.check_labels()
    assert str(failure.value) == (
        "Request to assign label to version 2 of model half, "
        "which is not currently available for inference"
    )


def test_a_failing_load_does_not_delay_another_model(tmp_path, start, loads):
    folders(tmp_path / "a", "1")
    folders(tmp_path / "b", "2")
    loads.broken.add("1")
    configs = [ModelConfig(name, Path(tmp_path / name)) for name in "ab"]
    repository = start(*configs, wait=False, load_retry_interval=30.0)
    until(repository, lambda: states(repository, "b") == {2: "AVAILABLE"})
    assert states(repository, "a") == {1: "LOADING"}


def test_close_waits_for_requests_then_frees_every_model(tmp_path, start):
    folders(tmp_path, "1")
    repository = start()
    with repository.lease("half") as lease:
        closing = threading.Thread(target=repository.close)
        closing.start()
        closing.join(0.05)
        assert closing.is_alive()
        assert not lease.model.closed.is_set()
    closing.join(10)
    assert lease.model.closed.is_set()
    assert [one.state for one in repository.statuses("half")] == [VersionState.END]


def test_close_waits_no_longer_than_its_timeout(tmp_path, start):
    folders(tmp_path, "1")
    repository = start()
    with repository.lease("half"):
        assert not repository.close(timeout=0.05)
    assert repository.close(timeout=10)


def test_closing_ends_a_wait_for_models(tmp_path, start):
    repository = start(wait=False)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(repository.wait_until_available()))
    waiting.start()
    repository.close()
    waiting.join(10)
    assert answers == [False]


# Reload


def config(base, **changes):
    return ModelConfig(base.name, Path(base), **changes)


def test_a_reload_loads_new_models_and_unloads_omitted_ones(tmp_path, start):
    for name in "abc":
        folders(tmp_path / name, "1")
    a, b, c = (config(tmp_path / name) for name in "abc")
    repository = start(a, b)
    repository.reload([b, c])
    assert states(repository, "c") == {1: "AVAILABLE"}
    assert states(repository, "b") == {1: "AVAILABLE"}
    until(repository, lambda: states(repository, "a") == {1: "END"})
    with pytest.raises(NotFoundError, match=r"Latest\(a\)$"), repository.lease("a"):
        pass


def test_a_reload_changes_policy_and_labels_at_once(tmp_path, start):
    folders(tmp_path, "1", "2")
    repository = start(config(tmp_path), poll=0)
    repository.reload([config(tmp_path, policy=versions.All())])
    name = tmp_path.name
    until(repository, lambda: states(repository, name) == {2: "AVAILABLE", 1: "AVAILABLE"})
    repository.reload([config(tmp_path, policy=versions.All(), labels={"old": 1})])
    with repository.lease(name, label="old") as lease:
        assert lease.version == 1


def test_a_reload_keeps_the_old_version_until_the_new_one_is_loaded(tmp_path, start, loads):
    folders(tmp_path / "x", "1")
    folders(tmp_path / "y", "2")
    repository = start(ModelConfig("half", Path(tmp_path / "x")))
    loads.held["2"] = threading.Event()
    repository.reload([ModelConfig("half", Path(tmp_path / "y"))])
    reach(repository, v1="AVAILABLE", v2="LOADING")
    loads.held["2"].set()
    reach(repository, v1="END", v2="AVAILABLE")


def test_a_label_for_an_unavailable_version_fails_the_whole_reload(tmp_path, start):
    for name in "ab":
        folders(tmp_path / name, "1")
    a, b = (config(tmp_path / name) for name in "ab")
    repository = start(a)
    with pytest.raises(FailedPreconditionError, match="label to version 2 of model a, which is"):
        repository.reload([b, config(tmp_path / "a", labels={"next": 2})])
    assert repository.statuses("b") == []
    assert states(repository, "a") == {1: "AVAILABLE"}


def test_a_new_label_may_precede_its_version_if_that_is_enabled(tmp_path, start):
    folders(tmp_path, "1")
    repository = start(config(tmp_path), allow_unavailable_labels=True)
    repository.reload([config(tmp_path, labels={"next": 2})])
    with pytest.raises(FailedPreconditionError, match="label to version 3 of model"):
        repository.reload([config(tmp_path, labels={"next": 3})])  # it would move a label away


def test_a_reload_reports_which_new_model_cannot_be_loaded(tmp_path, start, loads):
    for name, version in ("a1", "b7"):
        folders(tmp_path / name, version)
    loads.broken.add("7")
    a, b = (config(tmp_path / name) for name in "ab")
    repository = start(a)
    with pytest.raises(RpcError) as failure:
        repository.reload([a, b])
    assert (failure.value.code, str(failure.value)) == (
        "UNKNOWN",
        "1 model(s) did not become available: {{{name: b version: 7} due to error: 7 is broken}, }",
    )
    assert states(repository, "a") == {1: "AVAILABLE"}


def test_a_reload_waits_no_longer_than_its_caller(tmp_path, start):
    folders(tmp_path / "a", "1")
    a, missing = config(tmp_path / "a"), config(tmp_path / "none")
    repository = start(a)
    with pytest.raises(DeadlineExceededError, match=r"^1 model\(s\) are still being loaded$"):
        repository.reload([a, missing], timeout=0.05)
    folders(tmp_path / "none", "3")
    until(repository, lambda: states(repository, "none") == {3: "AVAILABLE"})


def test_the_same_configuration_again_changes_nothing(tmp_path, start, loads):
    folders(tmp_path, "1")
    repository = start(config(tmp_path))
    repository.reload([config(tmp_path)])
    assert loads.attempts == ["1"]


def test_a_model_can_be_omitted_and_listed_again(tmp_path, start):
    for name in "ab":
        folders(tmp_path / name, "1")
    a, b = (config(tmp_path / name) for name in "ab")
    repository = start(a, b)
    repository.reload([b])
    until(repository, lambda: states(repository, "a") == {1: "END"})
    repository.reload([a, b])
    assert states(repository, "a") == {1: "AVAILABLE"}
