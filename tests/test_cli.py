import errno
import io
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest

from advance_lib import cli
from advance_lib.cli import _parser, main
from advance_lib.data.catalogue import read_catalogue
from advance_lib.data.splits import split_by_location

COMMANDS = (
    "render",
    "check",
    "import",
    "parquet",
    "step",
    "train",
    "table",
    "study",
    "export",
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
        (["export", "nowhere", "mine"], "nowhere: no such run"),
        (["table", "1", "--seeds", "some"], "seeds 'some'"),
        (["check", "--dataset", "advance"], "Zenodo record"),
        (["train", "--preset", "author"], "no preset 'author'"),
        (["table", "1", "--field", "relevance=ica"], "preset field 'relevance'"),
        (["train", "--split", "theirs.npy"], "no split 'theirs.npy'"),
        (["study", "everything"], "no study 'everything'"),
        (["study", "tables", "--numbers", "4"], "no table 4"),
        (["study", "tables", "--odds", "3"], "--odds is for the study 'difficulty' only"),
        (["study", "difficulty", "--dataset", "TINY"], "tiny: only the miniature's difficulty can be set"),
        (["import", "nowhere", "TINY"], "tiny: is there already"),
        (["import", "nowhere", "there"], "nowhere: no such file or folder"),
        (["parquet", "pyproject.toml"], "pyproject.toml: is there already"),
        (["check", "--split", "grid"], "the miniature has no split 'grid'"),
        (["check", "--split", "grid=-1", "--dataset", "TINY"], "split 'grid=-1': write grid=DEGREES"),
        (["check", "--split", "grid", "--dataset", "TINY"], "write columns latitude and longitude"),
        (["predict", "book/_static/pair.jpg"], "pair.jpg: one photograph; give its recording"),
        (["predict", "pyproject.toml", "pyproject.toml", "--to", "all.csv"], "--to all.csv: a table of many"),
        (["predict", "pyproject.toml", "pyproject.toml", "--events", "-1"], "--events -1"),
        (["predict", "TINY", "--to", "all.xlsx"], "all.xlsx: no known format of tables; name it .csv or .parquet"),
        (["listen", "pyproject.toml", "--to", "all.csv"], "--to all.csv: a table of many"),
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


def test_a_dataset_goes_into_a_file_and_comes_back(tiny, tmp_path, capsys):
    file, again = str(tmp_path / "tiny.parquet"), str(tmp_path / "again")
    assert main(["parquet", file, "--dataset", str(tiny), "--profile", "smoke"]) == 0
    assert main(["import", file, again]) == 0
    assert f"{again}: 42 pairs" in (told := capsys.readouterr().out) and "42 usable pairs at 30 locations" in told
    first, second = read_catalogue(tiny), read_catalogue(again)
    assert first.drop(columns=["image", "sound"]).equals(second.drop(columns=["image", "sound", "split"]))
    # The split is that of the dataset, so both get the same one.
    assert second["split"].equals(split_by_location(first))
    assert main(["parquet", file, "--dataset", str(tiny)]) == 2
    assert "is there already" in capsys.readouterr().err


def test_a_broken_file_is_named_once_it_is_laid_out(tiny, tmp_path, capsys):
    (tiny / "sound/ice/01002.wav").write_bytes(b"")
    assert main(["import", str(tiny), str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert (
        "no sound; add it or remove the row" not in said
        and f"{tmp_path}/out/sound/ice/01002.wav: the file is empty" in said
    )


def torch_memory(_):
    import torch

    torch.empty(1 << 60)


def numpy_memory(_):
    np.empty(1 << 60, np.uint8)


def failing(error):
    def call(_):
        raise error

    return call


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (torch_memory, "out of memory; "),
        (numpy_memory, "out of memory; "),
        (failing(MemoryError()), "out of memory; "),
        (failing(OSError(errno.ENOMEM, "Cannot allocate memory")), "out of memory; "),
        (failing(RuntimeError("CUDA out of memory. Tried to allocate\n2.00 GiB")), "out of memory; "),
        (failing(BrokenProcessPool("A worker was killed")), "for want of memory; "),
        (failing(OSError(errno.ENOSPC, "No space left on device", "a.npy")), "a.npy: the disk is full; make room"),
        (failing(OSError(errno.ENOSPC, "No space", "/tmp/x", None, "b.ckpt")), "b.ckpt: the disk is full; make room"),
        (failing(OSError(errno.EDQUOT, "Disk quota exceeded")), "the disk is full; make room"),
        (failing(OSError(errno.EROFS, "Read-only file system", "a.jpg")), "a.jpg: Read-only file system; give another"),
        (failing(OSError(errno.EACCES, "Permission denied", b"a.jpg")), "a.jpg: Permission denied; give another"),
        (failing(OSError(errno.EIO, "Input/output error", "a.jpg")), "a.jpg: Input/output error"),
        (failing(OSError("4096 requested and 0 written")), "4096 requested and 0 written"),
        (failing(BrokenPipeError(errno.EPIPE, "Broken pipe")), "reads no more"),
        (failing(UnicodeEncodeError("ascii", "plage d'été", 8, 9, "not in range")), "cannot be written in ascii"),
    ],
)
def test_what_the_system_refuses_is_one_clear_line(call, words, capsys, monkeypatch):
    monkeypatch.setattr(cli, "check", call)
    assert main(["check"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("advance: ") and words in message and message.count("\n") == 1


def test_a_read_only_build_folder_is_one_clear_line(build, tiny, capsys, monkeypatch):
    def mkdir(self, *_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.mkdir", mkdir)
    assert main(["check", "--dataset", str(tiny)]) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"advance: {build}") and "ADVANCE_BUILD" in message and message.count("\n") == 1


def test_a_fault_of_the_program_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(cli, "check", failing(RuntimeError("a dimension is wrong")))
    with pytest.raises(RuntimeError, match="a dimension is wrong"):
        main(["check"])


def test_an_output_in_another_alphabet_is_written_all_the_same(monkeypatch):
    output = io.TextIOWrapper(io.BytesIO(), "latin-1")
    monkeypatch.setattr("sys.stdout", output)
    monkeypatch.setattr(cli, "check", lambda _: print("plage d'été, 海辺"))
    assert main(["check"]) == 0
    assert output.buffer.getvalue().decode("latin-1").strip() == r"plage d'été, \u6d77\u8fba"


PRINTING = """
import sys
from advance_lib import cli
cli.check = lambda _: [print("line", number) for number in range(100_000)]
sys.exit(cli.main(["check"]))
"""


@pytest.mark.parametrize("unbuffered", [["-u"], []])
def test_a_reader_that_leaves_ends_the_command_in_one_line(unbuffered):
    command = [sys.executable, *unbuffered, "-c", PRINTING]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "line 0\n"
        process.stdout.close()
        message = process.stderr.read()
    assert process.returncode == 2 and message.startswith("advance: ") and message.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("unbuffered", [["-u"], []])
def test_an_output_without_room_is_one_line(unbuffered):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, *unbuffered, "-c", PRINTING], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2 and "the disk is full" in done.stderr and done.stderr.count("\n") == 1


def test_a_folder_that_is_only_to_be_tested_on(tiny, quick, capsys):
    pairs = read_catalogue(tiny)
    pairs.assign(split="Test")[["scene", "id", "split"]].to_csv(tiny / "pairs.csv", index=False)
    assert main(["check", "--dataset", str(tiny)]) == 0
    told = capsys.readouterr().out
    assert "42 usable pairs at 30 locations, none of them to train on" in told and "--evaluate" in told
    assert main(["check", "--dataset", str(tiny), "--split", "location"]) == 0  # a word of the table is not asked for
    capsys.readouterr()
    pairs.assign(split="validation")[["scene", "id", "split"]].to_csv(tiny / "pairs.csv", index=False)
    assert main(["check", "--dataset", str(tiny)]) == 2
