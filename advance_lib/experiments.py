"""Every cell of the paper's tables by name, ``senses/approach``, and the recipe that fills it.

Chapter: Recognising with one and two senses.
"""

from advance_lib.cache import UserError
from advance_lib.profiles import Profile
from advance_lib.training import Recipe, Schedule

# The columns of a table, in the paper's order, with their headings.
TABLES: dict[int, dict[str, str]] = {
    1: {"sound/Ls": "Sound, L_s", "image/Ls": "Image, L_s", "image+sound/Ls": "Image + sound, L_s"},
}


def cells_of(table: int) -> list[str]:
    """Return the names of a table's cells.

    Raises:
        UserError: there is no such table.
    """
    if table not in TABLES:
        raise UserError(f"no table {table}; choose one of {', '.join(map(str, TABLES))}")
    return list(TABLES[table])


def recipe_of(cell: str, profile: Profile) -> Recipe:
    """Return what to train for a cell.

    Args:
        cell: such as ``"image+sound/Ls"``; a trailing † starts from random weights.
        profile: networks and schedule.

    Raises:
        UserError: no table has such a cell.
    """
    if cell not in {name for table in TABLES.values() for name in table}:
        raise UserError(
            f"no cell '{cell}'; choose one of {', '.join(dict.fromkeys(c for t in TABLES.values() for c in t))}"
        )
    senses, _ = cell.split("/")
    schedule = Schedule(
        profile.epochs,
        profile.batch_size,
        profile.learning_rate,
        profile.weight_decay,
        precision=profile.precision,
    )
    return Recipe(senses, profile.visual, profile.audio, schedule, pretrained=not cell.endswith("†"))
