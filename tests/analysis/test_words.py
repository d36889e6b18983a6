import pytest

from advance_lib.analysis import words

FIVE = ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("value", "text"), [(1.84, "+1.8"), (-12.26, "−12.3"), (-0.04, "0.0"), (0.0, "0.0"), (0.04, "0.0")]
)
def test_a_zero_has_no_sign(value, text):
    assert words.signed(value) == text


def test_digits():
    assert words.signed(-0.004, 3) == "−0.004" and words.signed(2, 0) == "+2"


def test_numbers_and_nouns():
    assert [words.number(n) for n in (0, 1, 12, 13, 5075)] == ["no", "one", "twelve", "13", "5,075"]
    assert [words.counted(n, "run") for n in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]


@pytest.mark.parametrize(
    ("names", "of", "text"),
    [
        ([], FIVE, "none of the five letters is"),
        (["b"], FIVE, "only b is"),
        (["b", "d"], FIVE, "b and d are"),
        (["a", "b", "d"], FIVE, "a, b and d are"),
        (["a", "b", "d", "e"], FIVE, "all letters except c are"),
        (FIVE, FIVE, "all five letters are"),
        (["a", "b"], ["a", "b"], "both letters are"),
        (["a"], ["a"], "a is"),
    ],
)
def test_who_of_a_group(names, of, text):
    assert words.group(names, of, "letters", ("is", "are")) == text


@pytest.mark.parametrize(
    ("better", "worse", "text"),
    [
        ([], [], "none of the five letters is certainly better or worse than z"),
        ([], ["a"], "only a is certainly worse than z"),
        (["b"], ["a", "c"], "only b is certainly better than z, and a and c are certainly worse"),
        (FIVE, [], "all five letters are certainly better than z"),
    ],
)
def test_who_is_better_or_worse(better, worse, text):
    assert words.better_or_worse(better, worse, FIVE, "letters", "z") == text


def test_a_sentence_begins_with_a_capital():
    assert words.sentence("all of L_E") == "All of L_E" and words.sentence("L_E") == "L_E"


def test_very_small_and_large_numbers_are_powers_of_ten():
    assert words.power_of_ten(1.28e-5) == "1.3\xa0·\xa010⁻⁵" and words.power_of_ten(7.86e14, 3) == "7.86\xa0·\xa010¹⁴"
    assert words.power_of_ten(-2e-4, 1) == "−2\xa0·\xa010⁻⁴" and words.power_of_ten(8e10, 3) == "8.00\xa0·\xa010¹⁰"
    assert [words.power_of_ten(value) for value in (0, 0.0013, -0.5, 57)] == ["0", "0.0013", "−0.5", "57"]


def test_p_values_have_one_form():
    assert [words.p_value(p) for p in (8.5e-9, 0.0312, 0.5)] == ["p < 0.001", "p = 0.031", "p = 0.50"]
