"""The table and the picture of a search."""

from etils.epath import Path

from millrace.components.tuning import report
from millrace.components.tuning.space import parse
from millrace.components.tuning.study import TrialOutcome

SPACE = {"rate": parse("log 1e-4..1e-1", "p"), "units": parse("choice 64|64,64", "p")}
OUTCOMES = [
    TrialOutcome(0, "complete", {"rate": "0.01", "units": "64"}, 0.5, epoch=2, seconds=1.26),
    TrialOutcome(1, "failed", {"rate": "0.02", "units": "64,64"}, error='said "no", twice'),
    TrialOutcome(2, "complete", {"rate": "0.03", "units": "64"}, 0.75, epoch=1),
    TrialOutcome(3, "pruned", {"rate": "0.04", "units": "64"}, 0.875, epoch=1),
    TrialOutcome(4, "complete", {"rate": "0.05", "units": "64"}, 0.25, epoch=1),
]


def test_the_table_has_a_row_per_trial(tmp_path):
    report.write_table(OUTCOMES, list(SPACE), tmp_path / "trials.csv")
    assert (tmp_path / "trials.csv").read_text().splitlines()[:3] == [
        "trial,state,value,epoch,seconds,rate,units,error",
        "1,complete,0.5,2,1.3,0.01,64,",
        '2,failed,,0,0.0,0.02,"64,64","said ""no"", twice"',
    ]


def test_the_best_so_far_is_of_complete_trials():
    assert report.best_so_far(OUTCOMES, "minimize") == [(1, 0.5), (3, 0.5), (5, 0.25)]
    assert report.best_so_far(OUTCOMES, "maximize") == [(1, 0.5), (3, 0.75), (5, 0.75)]


def test_the_picture_has_a_panel_for_the_trials_and_one_per_option(tmp_path):
    report.draw(OUTCOMES, SPACE, "val_loss", "minimize", tmp_path / "trials.png")
    content = (tmp_path / "trials.png").read_bytes()
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    assert (width, height) == (1350, 350)


def test_only_the_logs_of_failed_trials_are_kept(tmp_path):
    for number in (0, 1):
        folder = tmp_path / "resume" / f"trial-{number:04d}"
        folder.mkdir(parents=True)
        (folder / "log.txt").write_text(f"log {number}")
    report.keep_logs(OUTCOMES, Path(tmp_path / "resume"), Path(tmp_path / "logs"))
    assert {file.name: file.read_text() for file in (tmp_path / "logs").iterdir()} == {
        "trial-2.txt": "log 1"
    }
