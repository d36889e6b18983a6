import pytest

from advance_lib.construct.entries import OddEntry, field, on_earth, typed

ODD = {
    str: (None, 1, ["a"], "\udfff", "a" * 100_000),
    int: (None, True, 1.0, "1", 10**400),
    float: (None, False, "1.5", float("nan"), float("-inf"), 10**400),
    dict: (None, [], "a"),
    list: (None, {}, "a"),
}
GOOD = {str: ("", "é\n"), int: (0, -5), float: (1, 1.5, -1e300), dict: ({},), list: ([], [None])}


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in GOOD.items() for value in values])
def test_what_has_its_type_is_returned(kind, value):
    assert typed(value, kind, "it") is value and field({"it": value}, "it", kind) is value


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in ODD.items() for value in values])
def test_what_has_not_is_said_by_name_in_a_short_line(kind, value):
    with pytest.raises(OddEntry, match=r"^it is [^\n]{1,40}, not an? [a-z ]+$"):
        field({"it": value}, "it", kind)


def test_what_is_missing_is_said_by_name():
    with pytest.raises(OddEntry, match=r"^it has no colour$"):
        field({}, "colour", str)


@pytest.mark.parametrize("where", [(90.1, 0), (0, -181), (float("nan"), 0), (0, float("inf"))])
def test_places_lie_on_the_earth(where):
    assert on_earth(-90, 180) == (-90, 180)
    with pytest.raises(OddEntry, match="nowhere on the Earth"):
        on_earth(*where)
