"""The page of all runs."""


def test_runs_are_listed_the_newest_first(toy, pages):
    first, second = toy.run(), toy.run()
    shown = pages.json("runs")
    assert (shown["count"], [run["id"] for run in shown["runs"]]) == (2, [second.run, first.run])
    assert shown["runs"][0]["recipe"] == "toy"
    assert shown["runs"][0]["status"] == "done"
    assert f'<a href="/root/runs/{first.run}">' in pages.get("runs")


def test_without_a_run_the_page_says_how_to_begin(toy, pages):
    assert "No run yet" in pages.get("runs")
