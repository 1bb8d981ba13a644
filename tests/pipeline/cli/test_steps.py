"""`millrace step`, through the real command."""

import json

from tests.command import millrace


def test_a_step_begins_a_run_and_says_what_can_run_next(tmp_path):
    first = ("step", "line-fit", "line_fit", "--run", "wf-1", "--root", tmp_path / "root")
    done = millrace(*first, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["run"], told["status"], told["run_status"]) == ("wf-1", "done", "partial")
    assert ([step["step"] for step in told["steps"]], told["next"]) == (
        ["line_fit"],
        ["csv_example_gen"],
    )
    assert "run     wf-1: partial, 1 of 12 steps; next csv_example_gen\n" in done.stderr
    page = (tmp_path / "root" / "runs" / "wf-1" / "report.html").read_text()
    assert '<p class="skipped">partial</p>' in page

    again = millrace(*first)
    assert "≡ line_fit  cached" in again.stdout

    other = millrace(*first, "--set", "trainer.epochs=3")
    assert (other.returncode, other.stderr) == (
        2,
        "millrace: Run wf-1: expected trainer.epochs 500, with which it began. Received: 3. Give "
        "the same to every step of a run, or another --run to begin a new one.\n",
    )
