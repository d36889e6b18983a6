import json
import re

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_hex

from advance_lib.analysis.claims import CHANCE
from advance_lib.experiments.runs import Run, requests_for
from advance_lib.experiments.settings import Settings
from advance_lib.figures import results
from advance_lib.figures.page import PAPER_COLOUR, SENSE_COLOURS

matplotlib.use("Agg")

PAIRS = (("image/Ls", "image+sound/Ls"), ("image+sound/Ls", "image+sound/E"), (CHANCE, "image+sound/only E1"))


@pytest.fixture
def table():
    """What `compare` gives; the first difference is certain, the second is not."""
    rows = [(-2.5, -4.0, -1.0, 0.002), (0.5, -1.0, 2.0, 0.4), (9.0, 5.0, 13.0, 0.0005)]
    found = pd.DataFrame(rows, columns=["difference", "low", "high", "p_holm"])
    found["base"], found["other"] = zip(*PAIRS, strict=True)
    return found.assign(f_base=50.0, f_other=50 + found["difference"], detectable=np.nan)


def test_questions_name_the_senses_where_they_differ():
    asked = [results.question(*pair) for pair in (*PAIRS, ("sound/Ls", "sound/Ls†"))]
    assert asked == [
        "image + sound against image",
        "L_E against L_s",
        "L_E1 against chance",
        "Sound: L_s † against L_s",
    ]


def test_the_forest_draws_intervals_and_the_papers_differences(table):
    figure = results.forest({"test": table, "exam": table})
    assert [axis.get_title() for axis in figure.axes] == ["test", "exam"]
    for axis in figure.axes:
        lines = [line for line in axis.lines if len(line.get_xdata())]
        drawn = [
            tuple(line.get_xdata()) for line in lines if np.ptp(line.get_ydata()) == 0 and len(line.get_xdata()) == 2
        ]
        assert drawn == list(zip(table["low"], table["high"], strict=True))
        ticks = {line.get_ydata()[0]: line.get_xdata()[0] for line in lines if line.get_color() == PAPER_COLOUR}
        assert ticks == pytest.approx({0: 72.71 - 72.85, 1: 74.58 - 72.71})  # none against chance


def test_an_approach_of_ones_own_has_no_tick_of_the_papers(table):
    (axis,) = results.forest({"test": table.iloc[:2].assign(other="image+sound/MINE")}).axes
    assert {line.get_marker() for line in axis.lines if len(line.get_xdata())} == {"None", "o"}


def test_a_readable_table_says_what_is_not_defined(table):
    shown = results.readable_comparisons(table)
    assert shown["outcome"].tolist() == ["lower", "undecided", "higher"]
    assert shown["difference"].tolist() == ["−2.5", "+0.5", "+9.0"]
    assert shown["95 % interval"].iloc[0] == "−4.0 to −1.0"
    assert shown.iloc[2][["p (Holm)", "detectable"]].tolist() == ["< 0.001", "–"]


def test_what_a_change_does_in_words(table):
    told = [results.effect(row) for _, row in table.iterrows()]
    assert told[0] == "lowers the F-score by **2.5** points (1.0 to 4.0)"
    assert told[1].startswith("changes the F-score by **+0.5** points (") and told[1].endswith(", which is not certain")
    assert told[2].startswith("raises the F-score by **9.0** points (")


def test_the_file_behind_a_readable_table_holds_numbers(table, build):
    page = results.show_comparisons({"test": table}, "comparisons").data
    address = re.search(r'href="([^"]+)"', page).group(1)
    kept = pd.read_csv(build / "site" / address.rpartition("/")[2])
    assert kept["difference"].tolist() == table["difference"].tolist() and set(kept["split"]) == {"test"}


def test_gains_are_coloured_around_zero():
    gains = pd.DataFrame({"image+sound/E": [4.0, -1.0], "image+sound/SQ|Na": [0.0, 2.0]}, index=["beach", "lake"])
    page = results.gains_map(gains, "gains").data
    colours, texts = zip(*re.findall(r"background: (#\w+)[^>]*>([^<]*)<", page), strict=True)
    assert texts == ("+4.0", "+0.0", "−1.0", "+2.0")
    assert list(colours) == [to_hex(colormaps["RdBu"](share)) for share in (1.0, 0.5, 3 / 8, 0.75)]
    nothing = re.findall(r"background: (#\w+)", results.gains_map(0 * gains, "nothing").data)
    assert set(nothing) == {colours[1]}


def test_confusions_stand_side_by_side_in_percent():
    truth, guessed = ["beach", "beach", "lake", "lake"], ["beach", "lake", "lake", "lake"]
    page = results.confusions({"one": (truth, guessed), "two": (truth, truth)}, ["beach", "forest", "lake"], "c").data
    shown = re.findall(r'title="([^"]*)"[^>]*>([^<]*)</td>', page)
    assert [number for _, number in shown[:6]] == ["50", "", "50", "100", "", ""]
    assert shown[2][0] == "beach, lake: 50.0 %" and len(shown) == 18


def test_reliability_is_drawn_in_percent():
    found = pd.DataFrame({"confidence": [0.3, 0.9], "accuracy": [0.5, 0.8], "share": [0.25, 0.75]})
    axis = results.reliability_curves({"image+sound/E": found}).axes[0]
    np.testing.assert_allclose(axis.lines[1].get_xydata(), [[30, 50], [90, 80]])
    small, large = axis.collections[0].get_sizes()
    assert large > small


def test_dots_of_runs_and_the_marks_beside_them():
    cells = ["image/Ls"] * 2 + ["image+sound/KL|Na"] * 2 + ["sound/E", "image/Ls†", "image+sound/only E1"]
    table = pd.DataFrame({"cell": cells, "fscore": [70.0, 72.0, 60.0, 64.0, 30.0, 31.0, 32.0]})
    axis = results.run_dots(table, "fscore", "F", {"paper": {"image/Ls": 72.85}}, from_zero=True).axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == [
        "image",
        "L_KL|Na",
        "sound, L_E",
        "image, L_s †",
        "only L_E1",
    ] and axis.get_xlim()[0] == 0
    assert [text.get_text() for text in axis.texts] == ["71.0", "62.0", "30.0", "31.0", "32.0"]
    marks = next(line for line in axis.lines if line.get_label() == "paper")
    assert list(marks.get_xdata()) == [72.85] and list(marks.get_ydata()) == [0]


def test_a_learning_curve_of_every_run_with_its_selected_epoch(tmp_path):
    requests = requests_for(Settings(seeds=2), "image/Ls", "image+sound/E")
    runs = [Run(request, tmp_path / f"{number}") for number, request in enumerate(requests)]
    for run in runs:
        history = [{"epoch": epoch, "loss": 3.0 - epoch, "validation": 50.0 + epoch + run.seed} for epoch in range(2)]
        run.folder.mkdir()
        (run.folder / "metrics.json").write_text(json.dumps({"history": history, "epoch": run.seed}))
    loss, validation = results.learning_curves(runs).axes
    assert [line.get_ydata().tolist() for line in loss.lines] == [[3, 2]] * 4
    marks = [line.get_xydata()[0].tolist() for line in validation.lines if line.get_marker() == "o"]
    assert marks == [[1, 50], [2, 52]] * 2
    drawn = {
        text.get_text(): line.get_color()
        for text, line in zip(validation.get_legend().get_texts(), validation.get_legend().get_lines(), strict=True)
    }
    assert drawn == {"image": SENSE_COLOURS["image"], "image + sound": SENSE_COLOURS["image+sound"]}


def test_scores_stand_beside_the_papers_on_one_split(tmp_path):
    requests = requests_for(Settings(seeds=(0, 2)), "image/Ls", "sound/Ls")
    runs = [Run(request, tmp_path / f"{number}") for number, request in enumerate(requests)]
    for run in runs:
        metrics = {"scores": {"test": {"fscore": 10.0}, "exam": {"fscore": 60.0 + run.seed}}}
        run.folder.mkdir()
        (run.folder / "metrics.json").write_text(json.dumps(metrics))
    axis = results.fscores(runs, "exam", {"a guess": {"image/Ls": 5.0}}).axes[0]
    assert [text.get_text() for text in axis.texts] == ["61.0", "61.0"] and "exam" in axis.get_xlabel()
    marks = {line.get_label(): list(line.get_xdata()) for line in axis.lines if line.get_marker() in "|v"}
    assert marks["the paper, on ADVANCE"] == [72.85, 28.99] and marks["a guess"] == [5.0]
    shown = results.show_fscores(runs, "test", "fscores")
    assert 'id="fscores"' in shown.data and shown.made_from["runs"] == 4


def test_a_paper_table_shows_f_scores_and_keeps_the_rest_a_click_away(build):
    columns = pd.MultiIndex.from_tuples([("Image", "L_s"), ("Image + sound", "L_s"), ("Image + sound", "+ L_E")])
    rows = pd.MultiIndex.from_product([["here", "there"], ["Precision", "F-score"]])
    table = pd.DataFrame([["1", "2", "3"], ["4", "5", "6"], ["7", "8", "9"], ["10", "11", "12"]], rows, columns)
    shown, _, whole = results.show_paper_table(table, "table-9").data.partition("<details>")
    assert [re.findall(r"<td>(\d+)</td>", part) for part in (shown, whole)] == [
        ["4", "5", "6", "10", "11", "12"],
        [str(n) for n in range(1, 13)],
    ]
    assert re.findall(r"<th>(.+?)</th>", shown)[:3] == ["Image", "Image + sound", "+ <i>L</i><sub>E</sub>"]
