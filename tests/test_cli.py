import pytest

from advance_lib.cli import _parser, main

COMMANDS = (
    "render",
    "check",
    "step",
    "train",
    "table",
    "study",
    "predict",
    "listen",
    "download",
    "construct",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_every_option(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0 and f"usage: advance {command} " in capsys.readouterr().out


def test_every_option_has_a_help_text():
    subcommands = next(action for action in _parser()._actions if action.choices).choices
    assert set(subcommands) == set(COMMANDS)
    for name, command in subcommands.items():
        missing = [action.dest for action in command._actions if not action.help]
        assert not missing, f"advance {name}: no help for {missing}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "--dataset", "nowhere"], "no such folder"),
        (["check", "--profile", "huge"], "no profile 'huge'"),
        (["train", "--cell", "smell/Ls"], "no senses 'smell'"),
        (["train", "--table", "9"], "no table 9"),
        (["table", "1", "--seeds", "some"], "seeds 'some'"),
        (["check", "--dataset", "advance"], "Zenodo record"),
        (["train", "--preset", "author"], "no preset 'author'"),
        (["table", "1", "--field", "relevance=ica"], "preset field 'relevance'"),
        (["train", "--split", "theirs.npy"], "no split 'theirs.npy'"),
        (["study", "everything"], "no study 'everything'"),
        (["study", "tables", "--odds", "3"], "--odds is for the study 'difficulty' only"),
        (["study", "difficulty", "--dataset", "TINY"], "tiny: only the miniature's difficulty can be set"),
        (["listen", "nowhere.wav"], "nowhere.wav: no such file"),
        (["listen", "pyproject.toml", "--top", "0"], "--top 0"),
        (["download", "weights", "mn99"], "no weights 'mn99'"),
        (["download", "weights"], "there are mn04, official"),
        (["construct", "--out", "nowhere"], "give an area, west,south,east,north"),
        (["construct", "--out", "nowhere", "--area=1,2,3"], "1,2,3"),
        (["construct", "--out", "nowhere", "--step", "paint", "--area=1,2,3,4"], "no step 'paint'"),
    ],
)
def test_errors_are_one_clear_line(arguments, words, capsys, monkeypatch, tmp_path, tiny):
    monkeypatch.setenv("ADVANCE_DATA", str(tmp_path))
    assert main([str(tiny) if word == "TINY" else word for word in arguments]) == 2
    message = capsys.readouterr().err.strip()
    assert message.startswith("advance: ") and words in message and "\n" not in message


def test_check_counts_a_users_dataset(tiny, capsys):
    assert main(["check", "--dataset", str(tiny), "--profile", "smoke"]) == 0
    assert "42 usable pairs at 30 locations" in capsys.readouterr().out
