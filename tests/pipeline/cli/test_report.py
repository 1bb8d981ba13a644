"""The command that writes a run's report."""


def test_it_is_written_where_it_is_told(toy, millrace, tmp_path):
    result = toy.run()
    file = tmp_path / "new" / "sent.html"
    code, out, _ = millrace("report latest --out", file, "--root", toy.root.path)
    assert (code, out) == (0, f"{file}\n")
    assert result.run in file.read_text()
    code, out, _ = millrace("report", result.run, "--root", toy.root.path)
    assert (code, out) == (0, f"{toy.root.report(result.run)}\n")


def test_markdown_has_the_verdict_the_figures_and_the_steps_without_their_markup(toy, millrace):
    toy.run()
    toy.run('train.weights={"<b>|x": 1}')
    _, told, _ = millrace("report latest --markdown --root", toy.root.path)
    assert "**blessed**: told so" in told
    assert "| accuracy | 0.5 |  |" in told
    assert r"option weights.&lt;b&gt;\|x changed from None to 1.0" in told


def test_a_place_that_cannot_be_written_is_refused(toy, millrace, tmp_path):
    toy.run()
    (tmp_path / "file").write_text("")
    code, _, told = millrace(
        "report latest --root", toy.root.path, "--out", tmp_path / "file" / "x"
    )
    assert code == 2
    assert "expected a file to write. Received: " in told
