"""The command is asked as a shell asks it, and answers with what fits the word."""

import shlex
import shutil
import subprocess

import pytest

from millrace.pipeline import pushed


@pytest.fixture
def offered(toy, millrace, monkeypatch):
    """What follows Tab behind `line`; the toy pipeline's root is that of the environment."""
    monkeypatch.setenv("MILLRACE_ROOT", str(toy.root.path))
    monkeypatch.setenv("_MILLRACE_COMPLETE", "complete_bash")

    def ask(line):
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))
        code, out, err = millrace("")
        assert (code, err) == (0, "")
        return out.split()

    return ask


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("millrace comp", ["compare", "compile"]),
        ("millrace run cats-vs-dogs-", ["cats-vs-dogs-augmented", "cats-vs-dogs-transfer"]),
        ("millrace recipes sms", ["sms-spam"]),
        ("millrace run digits --fo", ["--force"]),
        ("millrace run digits --set trainer.epo", ["trainer.epochs="]),
        ("millrace run tabular --data x --set trainer.epo", ["trainer.epochs="]),
        ("millrace run digits --from tra", ["transform", "trainer"]),
        ("millrace step digits exp", ["export"]),
        ("millrace run digits --with tu", ["tuner"]),
        ("millrace run lab.own:recipe --set tra", []),  # their code is not run
    ],
)
def test_names_are_offered_that_begin_as_the_word_does(offered, line, words):
    assert offered(line) == words


def test_nobody_is_asked_for_what_lies_in_a_bucket(offered, monkeypatch):
    monkeypatch.setattr(pushed, "pushed_models", lambda root: 1 / 0)
    assert offered("millrace show --root s3://bucket/root ") == ["latest"]
    assert offered("millrace predict --root s3://bucket/root ") == []


def test_runs_are_offered_the_newest_first_of_the_root_that_the_line_names(toy, offered, tmp_path):
    runs = [toy.run().run, toy.run("train.epochs=2").run]
    assert offered("millrace show ") == ["latest", *reversed(runs)]
    assert offered(f"millrace compare {runs[0]} lat") == ["latest"]
    assert offered(f"millrace show --root {tmp_path}/elsewhere ") == ["latest"]
    assert not (tmp_path / "elsewhere").exists()


def test_pushed_models_are_offered(toy, offered):
    (toy.root.serving / "flowers" / "1").mkdir(parents=True)
    (toy.root.serving / "flowers" / "1" / "saved_model.pb").write_bytes(b"")
    assert offered("millrace predict fl") == ["flowers"]
    assert offered("millrace serve fl") == ["flowers"]


def test_nothing_is_said_of_a_store_that_cannot_be_read(toy, offered):
    toy.run()
    toy.store.engine.dispose()
    toy.root.store_file.write_bytes(b"nothing of the kind" * 300)
    assert offered("millrace show ") == ["latest"]


def test_one_command_installs_it_and_bash_reads_what_it_wrote(millrace, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("typer._completion_shared._get_shell_name", lambda: "bash")
    code, out, _ = millrace("--install-completion")
    script = tmp_path / ".bash_completions" / "millrace.sh"
    assert (code, out.splitlines()[0]) == (0, f"bash completion installed in {script}")
    asked = ["bash", "-c", f"source {tmp_path}/.bashrc && complete -p millrace"]
    assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout == (
        "complete -o default -F _millrace_completion millrace\n"
    )
    tab = "compopt() { echo $@; }; millrace() { echo $OFFERED; }; _millrace_completion millrace"
    for offered, told in (("trainer.epochs=", "-o nospace\n"), ("digits", "")):
        asked[-1] = (
            f"source {tmp_path}/.bashrc; OFFERED={offered}; env() {{ echo $OFFERED; }}; {tab}"
        )
        assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout == told


@pytest.mark.skipif(shutil.which("zsh") is None, reason="There is no zsh here.")
@pytest.mark.parametrize(("offered", "is_bare"), [("trainer.epochs=", True), ("digits", False)])
def test_zsh_completes_at_the_first_tab_and_puts_no_blank_behind_an_option(
    millrace, monkeypatch, tmp_path, offered, is_bare
):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("typer._completion_shared._get_shell_name", lambda: "zsh")
    assert millrace("--install-completion")[0] == 0
    answer = f"""_arguments '*: :(("{offered}":"in words"))'"""
    script = f"""
        fpath=({tmp_path}/.zfunc); autoload -Uz _millrace
        compdef() {{ print -r -- "compdef $@" }}
        env() {{ print -r -- {shlex.quote(answer)} }}
        _arguments() {{ print -r -- "$@"; whence -f compadd }}
        words=(millrace x) CURRENT=2; _millrace; whence -w compadd"""
    asked = ["zsh", "-fc", script]
    lines = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines[:2] == [
        "compdef _millrace_completion millrace",
        f'*: :(("{offered}":"in words"))',
    ]
    assert ("\tbuiltin compadd -S '' \"$@\"" in lines) is is_bare
    assert lines[-1] == "compadd: builtin"  # it is taken away again
