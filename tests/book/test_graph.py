"""What can be asked for, refused before anything runs; and where a book lies that was asked for otherwise."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import graph
import pages
from advance_lib.cache import UserError
from advance_lib.data.splits import split_named
from advance_lib.experiments.settings import AUDIO, VISUAL
from advance_lib.transfer.presets import PRESETS
from graph import requested

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"sedes": 3}, "no option 'sedes'"),
        ({"profile": "huge"}, "no profile 'huge'; choose one of smoke, mini, paper"),
        (
            {"dataset": "nowhere"},
            "nowhere: no such folder; give miniature, advance, or a folder that holds 'vision'",
        ),
        ({"split": "offical"}, "no split 'offical'; choose one of own, location, given, official"),
        ({"preset": "author"}, "no preset 'author'; choose one of paper, code"),
        ({"visual": "mn04"}, "no visual 'mn04'; choose one of rendered, official, imagenet"),
        ({"audio": "imagenet"}, "no audio 'imagenet'"),
        ({"teacher": "nobody"}, "no teacher 'nobody'"),
        ({"device": "tpu"}, "no device 'tpu'"),
        ({"skip_broken": "perhaps"}, "no skip_broken 'perhaps'"),
        ({"seeds": "some"}, "seeds 'some': give how many, such as 3, or a list, such as 0,1,2"),
        ({"seeds": "0"}, "seeds '0'"),
        ({"seeds": "1,1"}, "seeds '1,1'"),
        ({"shares": 0}, "shares=0: say in how many jobs"),
        ({"shares": "-2"}, "shares=-2"),
        ({"shares": "two"}, "shares=two"),
        ({"shares": 1.5}, "shares=1.5"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(option, words):
    with pytest.raises(UserError, match=words):
        requested({"profile": "smoke"} | option)


def test_a_folder_without_both_senses_is_refused(tmp_path):
    (tmp_path / "vision").mkdir()
    with pytest.raises(UserError, match="no folder 'sound' in it"):
        requested({"dataset": str(tmp_path)})


def test_advance_that_is_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("ADVANCE_DATA", str(tmp_path))
    with pytest.raises(UserError, match="advance download advance"):
        requested({"dataset": "advance"})
    for sense in ("vision", "sound"):
        (tmp_path / sense).mkdir()
    assert requested({"dataset": "advance"}).slug == "mini-advance"


def test_the_words_are_those_of_the_library():
    words = graph.WORDS
    assert all(split_named(word).by == word for word in words["split"])
    assert set(words["preset"]) == set(PRESETS)
    assert (words["visual"], words["audio"]) == (VISUAL, AUDIO) and words["teacher"] == ("", *AUDIO)


def test_refusing_imports_nothing_heavy():
    """What takes seconds to import, or to start, is not needed to refuse a mistyped word."""
    code = "import sys, graph; graph.requested({}); print({'torch', 'pandas', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "workflow", capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


def test_a_step_tells_what_is_wrong_in_one_line(capsys):
    assert pages.main(["dataset", "profile=huge"]) == 2
    assert capsys.readouterr().err == "pages.py: no profile 'huge'; choose one of smoke, mini, paper\n"


def test_books_that_were_asked_for_otherwise_lie_apart(tiny):
    changes = [
        {}, {"split": "pair"}, {"preset": "code"}, {"visual": "official"}, {"audio": "official"}, {"audio": "mn04"},
        {"teacher": "mn04"}, {"skip_broken": "1"}, {"split": "pair", "preset": "code"}, {"profile": "smoke"},
        {"dataset": str(tiny)},
    ]  # fmt: skip
    slugs = [requested(change).slug for change in changes]
    assert slugs[0] == "mini-miniature" and len(set(slugs)) == len(changes)
    defaults = {"split": "own", "preset": "paper", "visual": "rendered", "teacher": "", "skip_broken": "0"}
    assert requested(defaults).slug == slugs[0]
    assert requested({"split": "pair", "preset": "code"}).slug == "mini-miniature-split-pair-preset-code"


@pytest.mark.parametrize("seeds", ["1", 12, "0,1", "3,", "0,7,2"])
def test_seeds_are_a_number_or_a_list(seeds):
    assert requested({"seeds": seeds}).seeds == str(seeds)


def test_words_survive_the_way_through_a_shell(tiny):
    folder = tiny.rename(tiny.with_name("it's $HOME"))
    asked = requested({"dataset": str(folder), "profile": "smoke", "split": "location", "skip_broken": "yes"})
    told = subprocess.run(["sh", "-c", f"printf '%s\n' {asked.words}"], capture_output=True, text=True).stdout
    assert requested(dict(line.partition("=")[::2] for line in told.splitlines())) == asked


@pytest.mark.parametrize("name", ["zwei #2 é {name} $HOME: *", "'quoted\""])
def test_a_folder_with_any_name_reaches_every_step(tiny, name):
    folder = tiny.rename(tiny.with_name(name))
    asked = requested({"dataset": str(folder), "profile": "smoke"})
    command = [*pages.graph_command(asked, "1"), "-n", "-p"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert sum(line.endswith(f"pages.py build {asked.words}") for line in lines) == 1
    assert (
        sum(line.endswith(f"cli train {asked.flags('profile', 'dataset', 'seeds', 'device')}") for line in lines) == 1
    )


def test_a_chapter_is_told_what_departs_from_its_own_parameters():
    usual = {"profile": "smoke", "dataset": "miniature", "seeds": 2, "device": "auto"}
    assert pages.parameters_of(requested({"profile": "smoke"})) == usual
    asked = {"profile": "smoke", "seeds": "0,2", "split": "pair", "preset": "code", "skip_broken": "true"}
    told = {"seeds": "0,2", "split": "pair", "preset": "code", "skip_broken": True}
    assert pages.parameters_of(requested(asked)) == usual | told


def test_a_chapter_is_made_anew_when_a_module_that_it_imports_changes(tmp_path):
    code = (
        "import pandas as pd\nfrom advance_lib.figures import page, studies\nfrom advance_bench import model as costs"
    )
    cells = [{"cell_type": "code", "source": code.splitlines(keepends=True)}]
    cells.append({"cell_type": "markdown", "source": ["from advance_lib.data import media"]})
    chapter = tmp_path / "chapter.ipynb"
    chapter.write_text(json.dumps({"cells": cells}))
    assert graph.modules_of(chapter) == [
        "advance_bench.model",
        "advance_lib.figures.page",
        "advance_lib.figures.studies",
    ]


@pytest.mark.parametrize("name", graph.chapters())
def test_every_chapter_says_what_it_imports(name):
    found = graph.modules_of(ROOT / "book" / f"{name}.ipynb")
    assert found and all(find_spec(module) for module in found)


def test_a_chapter_is_made_from_the_records_that_it_names(tmp_path, monkeypatch):
    (tmp_path / "results").mkdir()
    for name in ("tables-miniature", "tables-real-pairs-5k", "inside-miniature"):
        (tmp_path / "results" / f"{name}.json").write_text("{}")
    monkeypatch.setattr(graph, "CHECKOUT", tmp_path)
    cells = [
        {"cell_type": "markdown", "source": ['"inside-miniature" is only talked about']},
        {"cell_type": "code", "source": ['kept = studies.kept(f"tables-{data}")\n', "kept"]},
    ]
    (tmp_path / "chapter.ipynb").write_text(json.dumps({"cells": cells}))
    found = graph.references_of(tmp_path / "chapter.ipynb")
    assert [path.stem for path in found] == ["tables-miniature", "tables-real-pairs-5k"]
