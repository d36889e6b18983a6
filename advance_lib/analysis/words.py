"""Numbers, lists and groups in words, for sentences that are computed and should read as written ones."""

import re
from collections.abc import Sequence

HYPHEN = re.compile(r"(?<![\w.,/:-])-(?=\d)")
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def number(count: int) -> str:
    """Return a count in words up to twelve, in digits beyond."""
    return NUMBERS[count] if count < len(NUMBERS) else f"{count:,}"


def counted(count: int, what: str) -> str:
    """Return a count in digits with its noun, such as ``1 run`` or ``20 runs``."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def with_minus(text: str) -> str:
    """Return a text in which a hyphen before a number, as Python prints it, is a minus."""
    return HYPHEN.sub("−", text)


def signed(value: float, digits: int = 1) -> str:
    """Return a number with its sign, such as ``+1.8`` or ``−0.4``; what rounds to zero has none."""
    rounded = round(value, digits)
    return with_minus(f"{rounded:+.{digits}f}") if rounded else f"{0:.{digits}f}"


def power_of_ten(value: float, digits: int = 2) -> str:
    """Return a number with some significant digits; a very small or large one as ``1.3 · 10⁻⁵``."""
    plain = f"{value:.{digits}g}"
    if "e" not in plain and not 0 < abs(value) < 1e-3:
        return with_minus(plain)
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return (
        with_minus(mantissa)
        + "\N{NO-BREAK SPACE}·\N{NO-BREAK SPACE}10"
        + str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    )


def p_value(p: float) -> str:
    """Return a p value in the one form that the book has: ``p < 0.001`` or ``p = 0.03``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.{3 if p < 0.1 else 2}f}"


def listed(names: Sequence[str]) -> str:
    """Return names as a list, such as ``L_s, L_E1 and L_E``."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def group(names: Sequence[str], of: Sequence[str], called: str, does: tuple[str, str] = ("", "")) -> str:
    """Return which members of a group do something, as the beginning of a sentence's clause.

    Args:
        names: of those that do it, in the group's order.
        of: the names of the whole group, at least one.
        called: the group in the plural, such as ``transfers``.
        does: the verb in the singular and in the plural.

    Returns:
        Such as ``none of the five transfers gains``, ``only L_E gains``, ``L_SQ|Na and L_E gain``, ``all transfers
        except L_E gain``, or ``all five transfers gain``.
    """
    if not names:
        who = f"none of the {number(len(of))} {called}"
    elif len(names) == len(of) > 1:
        who = f"both {called}" if len(of) == 2 else f"all {number(len(of))} {called}"
    elif len(names) == len(of) - 1 > 3:
        who = f"all {called} except {next(name for name in of if name not in names)}"
    else:
        who = f"{'only ' * (len(names) == 1 < len(of))}{listed(names)}"
    return f"{who} {does[len(names) > 1]}".strip()


def better_or_worse(better: Sequence[str], worse: Sequence[str], of: Sequence[str], called: str, than: str) -> str:
    """Return which members of a group are certainly better or worse than something, as in `group`.

    Returns:
        Such as ``none of the five transfers is certainly better or worse than L_s``, or ``only L_E is certainly better
        than L_s, and L_SQ|Na and L_KL|Na are certainly worse``.
    """
    if not better and not worse:
        return f"{group([], of, called, ('is', 'are'))} certainly better or worse than {than}"
    sides = [(names, word) for names, word in ((better, "better"), (worse, "worse")) if names]
    told = [f"{group(names, of, called, ('is', 'are'))} certainly {word}" for names, word in sides]
    return ", and ".join([f"{told[0]} than {than}", *told[1:]])


def sentence(text: str) -> str:
    """Return a text that begins with a capital."""
    return text[:1].upper() + text[1:]
