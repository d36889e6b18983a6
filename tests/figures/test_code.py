"""Code in chapters is the library's, whole but for its docstring."""

from advance_lib.figures.code import source


def double(x: float) -> float:
    """Return twice a number.

    More words.
    """
    return 2 * x  # a comment


class Holder:
    @staticmethod
    def half(x):
        y = "not a docstring"
        return x / 2, y


def test_a_function_is_shown_without_its_docstring():
    shown = source(double, Holder.half).data
    first, second = shown.removeprefix("```python\n").removesuffix("\n```").split("\n\n\n")
    assert first == "def double(x: float) -> float:\n    return 2 * x  # a comment"
    assert second.splitlines()[:2] == ["@staticmethod", "def half(x):"] and "not a docstring" in second
    assert shown.startswith("```python\n")


def test_what_is_shown_is_python_that_does_the_same():
    defined = {}
    exec(source(double).data.strip("`").removeprefix("python\n"), defined)
    assert defined["double"](4) == 8
