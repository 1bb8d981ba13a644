"""A run's logs, read to their end and on as they grow."""

import contextlib
import itertools

import pytest

from millrace.pipeline import following
from millrace.pipeline.errors import UsageError
from tests.pipeline.test_damage import dead


def lines(toy, run, *arguments):
    return list(following.lines(toy.store, toy.root, run, *arguments))


def test_the_logs_of_a_run_come_step_by_step(toy):
    run = toy.run().run
    found = lines(toy, run)
    assert [line for line in found if line.startswith("> ")][:2] == ["> read", "> count"]
    assert "counting with ()" in "\n".join(found)


def test_one_step_alone_has_no_heading(toy):
    found = lines(toy, "latest" if toy.run() else "", "count")
    assert any(line.endswith("counting with ()") for line in found)
    assert not any(line.startswith("> ") for line in found)


def test_a_step_that_did_not_begin_offers_the_nearest(toy):
    run = toy.run().run
    with pytest.raises(UsageError, match=r"no step coun began\. Did you mean `count`\?"):
        lines(toy, run, "coun")


def test_a_run_at_work_is_followed_by_whole_lines_until_it_ends(toy, monkeypatch):
    run = toy.run().run
    dead(toy, run)  # so that its lock says whether it is at work
    log = toy.root.log(run, "count")
    log.write_text("one\ntw")
    with contextlib.ExitStack() as alive:
        alive.enter_context(toy.root.running(run))

        def grow(_):
            if log.read_text().endswith("tw"):
                log.write_text("one\ntwo\nthr")
            else:
                alive.close()

        monkeypatch.setattr(following.time, "sleep", grow)
        followed = following.lines(toy.store, toy.root, run, "count", follow=True)
        assert list(itertools.islice(followed, 2)) == ["one", "two"]
        assert list(followed) == ["thr"]
