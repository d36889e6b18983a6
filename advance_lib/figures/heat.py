"""Tables of numbers as maps of colours: cells of an HTML table, whose numbers can be read, copied and heard."""

import html
from collections.abc import Callable, Mapping

import matplotlib
import pandas as pd
from IPython.display import HTML
from matplotlib.colors import Normalize, to_hex

from advance_lib.figures.page import download, losses_as_html

FEW = 8  # columns whose names have room to lie flat


def heat_tables(
    tables: Mapping[str, pd.DataFrame],
    name: str,
    norm: Normalize,
    written: Callable[[float], str],
    colours: str = "BuPu",
    corner: str = "",
    least: float = 0.0,
    whole: Callable[[float], str] | None = None,
) -> HTML:
    """Show tables side by side as one map of colours, for `page.show`, with a link to their numbers.

    Args:
        tables: heading to numbers; all have the same rows. A single table may have an empty heading.
        name: of the file of numbers.
        norm: number to share of the colours.
        written: number to the text in its cell.
        colours: Matplotlib's name of a map of colours.
        corner: what rows and columns are.
        least: numbers smaller than this, whatever their sign, have a colour and a text to hover over, but none to read.
        whole: number to the text to hover over; None for ``written``.
    """
    heads = [
        f'<th scope="colgroup" colspan="{table.shape[1]}"{_gap(0, number)}>{html.escape(title)}</th>'
        for number, (title, table) in enumerate(tables.items())
    ]
    titles = f"<tr><td></td>{''.join(heads)}</tr>" if any(tables) else ""
    columns = [
        f'<th scope="col"{_gap(place, number)}><span>{html.escape(str(column))}</span></th>'
        for number, table in enumerate(tables.values())
        for place, column in enumerate(table)
    ]
    rows = []
    for at, row in enumerate(next(iter(tables.values())).index):
        cells = []
        for number, table in enumerate(tables.values()):
            for place, (column, value) in enumerate(table.iloc[at].items()):
                colour = to_hex(matplotlib.colormaps[colours](norm(value)))
                text = written(value) if abs(value) >= least else ""
                about = html.escape(f"{row}, {column}: {(whole or written)(value)}")
                look = f"background: {colour}; color: {_ink(colour)}"
                cells.append(f'<td style="{look}" title="{about}"{_gap(place, number)}>{html.escape(text)}</td>')
        rows.append(f'<tr><th scope="row">{html.escape(str(row))}</th>{"".join(cells)}</tr>')
    few = " few" * (sum(table.shape[1] for table in tables.values()) <= FEW)
    head = f'<thead>{titles}<tr><td class="corner">{html.escape(corner)}</td>{"".join(columns)}</tr></thead>'
    page = losses_as_html(f'<table class="heat{few}">{head}<tbody>{"".join(rows)}</tbody></table>')
    region = f'<div class="wide-table" tabindex="0" role="region" aria-label="values of {html.escape(name)}">'
    numbers = pd.concat(tables, axis=1) if len(tables) > 1 else next(iter(tables.values()))
    hidden = (numbers.abs() < least).any(axis=None)
    told = f"Numbers below {(whole or written)(least).lstrip('+')} are not printed. " if hidden else ""
    return HTML(f"{region}{page}</div><p>{told}{download(numbers, name)}</p>")


def _gap(place: int, table: int) -> str:
    """Return the attribute of the first cell of each table but the first, which stands apart from the one before."""
    return ' class="apart"' if table and not place else ""


def _ink(colour: str) -> str:
    """Return black or white, whichever stands out more from a colour (WCAG 2, contrast ratio)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "black" if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else "white"
