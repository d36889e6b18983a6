"""Progress bars, on standard error only.

``tqdm.auto`` would put a widget and a script from a content network on the book's pages.
"""

import os
from collections.abc import Iterable

from tqdm import tqdm


def progress(items: Iterable, what: str, total: int | None = None) -> Iterable:
    """Iterate with a bar that says what is being done; ``ADVANCE_QUIET=1`` hides it.

    Args:
        items: what to iterate over.
        what: short label.
        total: number of items where ``items`` has no length.
    """
    return tqdm(
        items,
        desc=what,
        total=total,
        disable=bool(os.environ.get("ADVANCE_QUIET")),
        mininterval=2.0,
        leave=False,
    )
