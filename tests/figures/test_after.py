import pandas as pd

from advance_lib.analysis.probes import PARTS, UNTRAINED
from advance_lib.analysis.retrieval import BASE, CHANCE, DIRECTIONS, ORACLE
from advance_lib.figures.after import alike_dots, probe_dots, retrieval_dots, retrieval_table, summary_table

ENDS = {"low": 0.1, "high": 0.3}


def filled(axis):
    """Whether each dot of a panel is filled, top to bottom."""
    dots = [line for line in axis.lines if line.get_marker() == "o"]
    return [dot.get_markerfacecolor() != "white" for dot in dots]


def test_what_is_certain_is_filled():
    asked = {UNTRAINED: None, BASE: 0.0, "image+sound/E": 0.2}
    rows = [
        {"approach": approach, "part": part, "fscore": 0.2, "p_holm": p} | ENDS
        for approach, p in asked.items()
        for part in PARTS
    ]
    assert [filled(axis) for axis in probe_dots(pd.DataFrame(rows)).axes] == [[False, True, False]] * 3
    alike = pd.DataFrame(rows)[::3].assign(cka=0.2, shuffled=0.05)
    assert filled(alike_dots(alike).axes[0]) == [False, True, False]


def test_retrieval_is_shown_in_both_directions():
    rows = [
        {"direction": direction, "relevant": relevant, "approach": approach, "ndcg@10": value, "median rank": 3.0}
        | {"recall@1": value / 2, "recall@5": value, "recall@10": value, "p_holm": None}
        | (ENDS if approach == BASE else {"low": None, "high": None})
        for direction in DIRECTIONS
        for relevant, value in {"pair": 0.1, "siblings": 0.2, "scene": 0.4}.items()
        for approach in (BASE, CHANCE, ORACLE)
    ]
    table = retrieval_table(pd.DataFrame(rows))
    assert list(table.index) == [(way, name) for way in DIRECTIONS for name in ("image + sound", CHANCE, ORACLE)]
    first = table.iloc[0]
    assert (first["R@1"], first["nDCG@10"], first["with siblings"], first["by scene"]) == (5, 10, 20, 40)
    axes = retrieval_dots(pd.DataFrame(rows)).axes
    assert len(axes) == 6 and all(filled(axis) == [False] for axis in axes)


def test_a_summary_has_a_star_where_it_is_certain():
    of_probe = {UNTRAINED: (50.0, None), BASE: (60.04, 0.01), "image+sound/E": (61.0, 0.2)}
    probe = [
        {"approach": approach, "part": part, "fscore": value, "p_holm": p}
        for approach, (value, p) in of_probe.items()
        for part in PARTS
    ]
    alike = [{"approach": BASE, "cka": 0.1, "p_holm": None}, {"approach": "image+sound/E", "cka": 0.234, "p_holm": 0.0}]
    retrieval = [
        {"direction": direction, "relevant": relevant, "approach": approach, "ndcg@10": 0.1, "p_holm": None}
        for direction in DIRECTIONS
        for relevant in ("pair", "siblings")
        for approach in (BASE, CHANCE, ORACLE)
    ]
    kept = {"probe": {"exam": probe}, "alike": {"exam": alike}, "retrieval": {"exam": {"map": retrieval}}}
    table = summary_table(kept, "exam")
    assert list(table.index) == [UNTRAINED, "image + sound", "L_E", CHANCE]
    assert list(table.loc["image + sound"]) == ["60.0*", "60.0*", "60.0*", "0.10", "10.0", "10.0"]
    assert table.loc["L_E", "CKA"] == "0.23*" and table.loc[UNTRAINED, "CKA"] == "–"
