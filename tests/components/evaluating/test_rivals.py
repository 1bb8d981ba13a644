"""One figure beside those of rivals: what is objected to, and what is to a model's credit."""

from components.evaluating.rivals import Outcome, Rival, compare, improve_or_leave_out

FIRST = Rival(2.0, "naive's 2", "Look back further")
SECOND = Rival(3.0, "the mean's 3", "Train for longer")


def test_all_that_is_beaten_is_said_on_one_line():
    assert compare("mae", 1.5, [FIRST, SECOND]) == Outcome(
        merits=("mae 1.5 beats naive's 2 and the mean's 3 on the same rows",)
    )


def test_the_same_figure_beats_none_and_each_objection_names_its_remedy():
    found = compare("mae", 3.0, [FIRST, SECOND])
    assert found.merits == ()
    assert found.objections == (
        "mae: expected less than naive's 2 on the same rows. Received: 3. Look back further",
        "mae: expected less than the mean's 3 on the same rows. Received: 3. Train for longer",
    )


def test_of_some_figures_more_is_better():
    found = compare("recall", 2.5, [FIRST, SECOND], better="more")
    assert found == Outcome(
        objections=(
            "recall: expected more than the mean's 3 on the same rows. Received: 2.5. "
            "Train for longer",
        ),
        merits=("recall 2.5 beats naive's 2 on the same rows",),
    )
    assert compare("recall", 2.0, [FIRST], better="more").merits == ()


def test_no_figure_at_all_beats_none():
    assert len(compare("mae", float("nan"), [FIRST, SECOND]).objections) == 2


def test_without_rivals_there_is_nothing_to_say():
    assert compare("mae", 1.5, []) == Outcome((), (), ())


def test_the_remedy_names_the_option():
    assert improve_or_leave_out("naive") == (
        "Improve the model, or leave naive out of evaluator.must_beat"
    )
