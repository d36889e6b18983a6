"""Every cell of the paper's tables by name, ``senses/approach``, and the recipe that fills it.

An approach is ``Ls``; a transfer such as ``SQ|Na`` or ``E``, which means L_s + αL_Ω; ``only`` before it leaves L_s
out (Table 3); a trailing † starts from random weights (Table 2).

Chapters: Table 1, Table 2, Table 3.
"""

from advance_lib.cache import UserError
from advance_lib.experiments.profiles import Profile
from advance_lib.experiments.sources import RENDERED, Sources
from advance_lib.training.loop import Schedule
from advance_lib.transfer.presets import PAPER, Preset
from advance_lib.transfer.recogniser import Recipe

# Section 5.1, found by the paper's authors in a grid search on ADVANCE; the chapter Choosing α and β has our own.
ALPHA, BETA = 0.1, 0.001

# The paper's, written out: tables and claims are made of these, and one of your own makes no claim of the paper.
TRANSFERS = ("SQ|Na", "KL|Na", "SQ|Nv+a", "KL|Nv+a", "E")

# The cells of each table, in the paper's order. The sound rows of Table 2 carry the name |Nv+a, as there: their event
# head is the new linear layer on the concatenation, whose visual half is constant.
TABLES: dict[int, tuple[str, ...]] = {
    1: ("sound/Ls", "image/Ls", "image+sound/Ls", *(f"image+sound/{transfer}" for transfer in TRANSFERS)),
    2: tuple(
        f"{sense}/{approach}" for sense in ("sound", "image") for approach in ("Ls†", "Ls", "SQ|Nv+a", "KL|Nv+a", "E")
    ),
    3: ("image+sound/only E1", "image+sound/only E", "image+sound/only KL|Nv+a", "image+sound/only SQ|Nv+a"),
}
CELLS = tuple(dict.fromkeys(cell for cells in TABLES.values() for cell in cells))


def cells_of(table: int) -> list[str]:
    """Return the names of a table's cells.

    Raises:
        UserError: there is no such table.
    """
    if table not in TABLES:
        raise UserError(f"no table {table}; choose one of {', '.join(map(str, TABLES))}")
    return list(TABLES[table])


def heading(cell: str) -> str:
    """Return the heading that the paper gives to a cell's approach, such as ``+ L_SQ|Na``."""
    approach = cell.split("/")[1]
    if approach.startswith("only "):
        name = approach.removeprefix("only ")
        return "L_E1 + βL_E2" if name == "E" else f"L_{name}"
    return {"Ls": "L_s", "Ls†": "L_s †"}.get(approach, f"+ L_{approach}")


def recipe_of(
    cell: str,
    profile: Profile,
    preset: Preset = PAPER,
    alpha: float = ALPHA,
    beta: float = BETA,
    sources: Sources = RENDERED,
) -> Recipe:
    """Return what to train for a cell.

    Args:
        cell: such as ``"image+sound/SQ|Na"``.
        profile: networks and schedule.
        preset: the choices in which paper and code differ.
        alpha: α.
        beta: β.
        sources: of the pre-trained networks.

    Raises:
        UserError: no table has such a cell.
    """
    if cell not in CELLS:
        raise UserError(f"no cell '{cell}'; choose one of {', '.join(CELLS)}")
    senses, approach = cell.split("/")
    transfer = approach.removeprefix("only ").removesuffix("†")
    schedule = Schedule(
        profile.epochs,
        profile.batch_size,
        profile.learning_rate,
        profile.weight_decay,
        preset.learning_rate,
        profile.precision,
        reshuffle=preset.order == "reshuffled",
        keep_after=5 if preset.tested == "best and five after" else 0,
        patience=profile.patience,
        compiled=profile.compiled,
    )
    return Recipe(
        senses,
        sources.visual_backbone(profile),
        sources.audio_backbone(profile),
        schedule,
        pretrained=not approach.endswith("†"),
        new_event_head=transfer.endswith("|Na") and (sources.new_event_head or preset.event_head == "fresh"),
        transfer=None if transfer == "Ls" else transfer,
        supervised=not approach.startswith("only "),
        alpha=alpha,
        beta=beta,
        preset=preset,
    )
