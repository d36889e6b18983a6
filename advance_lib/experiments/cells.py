"""Every cell of the paper's tables by name, ``senses/approach``, and what the paper measured in it.

An approach is ``Ls``; a transfer such as ``SQ|Na`` or ``E``, which means L_s + αL_Ω; ``only`` before it leaves L_s
out (Table 3); a trailing † starts from random weights (Table 2).

Chapters: Table 1, Table 2, Table 3.
"""

from dataclasses import dataclass

from advance_lib.cache import UserError
from advance_lib.training.metrics import METRICS

# Section 5.1, found by the paper's authors in a grid search on ADVANCE; the chapter Choosing α and β has our own.
ALPHA, BETA = 0.1, 0.001

SENSES = ("sound", "image", "image+sound")
# Written out: tables and claims are made of these, and an approach of one's own makes no claim of the paper.
PAPER_TRANSFERS = ("SQ|Na", "KL|Na", "SQ|Nv+a", "KL|Nv+a", "E")
WITHOUT_EVENTS = ("unimodal", "dropout")  # ours, see `remedies`


@dataclass(frozen=True)
class Cell:
    """One cell of a table: which senses, and how they are taught.

    Attributes:
        senses: ``"sound"``, ``"image"`` or ``"image+sound"``.
        transfer: L_Ω by name, one of `objectives.TRANSFERS` if it is to be trained, or None for L_s alone.
        supervised: L = L_s + αL_Ω; False leaves L = L_Ω, as in Table 3.
        pretrained: start from the pre-trained networks; False is the paper's †.

    Raises:
        UserError: no such senses, or nothing that could be learned.
    """

    senses: str
    transfer: str | None = None
    supervised: bool = True
    pretrained: bool = True

    def __post_init__(self):
        if self.senses not in SENSES:
            raise UserError(f"no senses '{self.senses}'; a cell is one of {', '.join(SENSES)}, a slash, an approach")
        if self.transfer is None and not self.supervised:
            raise UserError("'only Ls' is 'Ls'")
        if self.senses == "image" and (self.transfer or "").endswith("|Na"):
            raise UserError(f"'{self.name}': N_a hears nothing there, so it has no knowledge to preserve")

    @classmethod
    def named(cls, name: str) -> "Cell":
        """Return a cell by name, such as ``"image+sound/only E"``.

        Raises:
            UserError: as for the class.
        """
        senses, _, approach = name.partition("/")
        transfer = approach.removeprefix("only ").removesuffix("†")
        return cls(
            senses,
            None if transfer == "Ls" else transfer,
            supervised=not approach.startswith("only "),
            pretrained=not approach.endswith("†"),
        )

    @property
    def name(self) -> str:
        """As on the command line and on disk."""
        return (
            f"{self.senses}/{'' if self.supervised else 'only '}{self.transfer or 'Ls'}{'' if self.pretrained else '†'}"
        )

    @property
    def inputs(self) -> str:
        """The senses as the tables name them: Sound, Image, Image + sound."""
        return self.senses.replace("+", " + ").capitalize()

    @property
    def heading(self) -> str:
        """The heading that the paper gives to the approach, such as ``+ L_SQ|Na``."""
        mark = "" if self.pretrained else " †"
        if self.transfer is None:
            return f"L_s{mark}"
        if self.supervised:
            return f"+ L_{self.transfer}{mark}"
        return ("L_E1 + βL_E2" if self.transfer == "E" else f"L_{self.transfer}") + mark

    @property
    def label(self) -> str:
        """Inputs and approach, such as ``Image + sound, + L_E``."""
        return f"{self.inputs}, {self.heading}"

    @property
    def short(self) -> str:
        """A short name among cells that see: the senses for L_s alone, else the transfer, such as ``L_SQ|Na``."""
        if self.transfer is None:
            return self.senses.replace("+", " + ")
        return self.transfer if self.transfer in WITHOUT_EVENTS else self.heading.removeprefix("+ ")


def short_name(approach: str) -> str:
    """Return the short name of a cell, or that of an approach which is none, such as ``late fusion``."""
    return Cell.named(approach).short if "/" in approach else approach


# The cells of each table, in the paper's order. The sound rows of Table 2 carry the name |Nv+a, as there: their event
# head is the new linear layer on the concatenation, whose visual half is constant.
TABLES: dict[int, tuple[str, ...]] = {
    1: ("sound/Ls", "image/Ls", "image+sound/Ls", *(f"image+sound/{transfer}" for transfer in PAPER_TRANSFERS)),
    2: tuple(
        f"{sense}/{approach}" for sense in ("sound", "image") for approach in ("Ls†", "Ls", "SQ|Nv+a", "KL|Nv+a", "E")
    ),
    3: ("image+sound/only E1", "image+sound/only E", "image+sound/only KL|Nv+a", "image+sound/only SQ|Nv+a"),
}
CELLS = tuple(dict.fromkeys(cell for cells in TABLES.values() for cell in cells))
L_S_CELLS = ("sound/Ls", "image/Ls", "image+sound/Ls")

# Weighted precision, recall and F-score in percent, each as (mean, standard deviation) of 5 runs on ADVANCE.
PAPER_SCORES = {
    "sound/Ls": ((30.46, 0.66), (32.99, 1.20), (28.99, 0.51)),
    "image/Ls": ((74.05, 0.42), (72.79, 0.62), (72.85, 0.57)),
    "image+sound/Ls": ((73.93, 0.80), (72.91, 0.74), (72.71, 0.76)),
    "image+sound/SQ|Na": ((74.41, 0.62), (73.51, 0.45), (73.34, 0.47)),
    "image+sound/KL|Na": ((74.89, 0.56), (73.83, 0.44), (73.83, 0.47)),
    "image+sound/SQ|Nv+a": ((74.96, 0.35), (74.27, 0.37), (74.13, 0.32)),
    "image+sound/KL|Nv+a": ((74.98, 0.33), (74.19, 0.34), (74.14, 0.33)),
    "image+sound/E": ((75.25, 0.34), (74.79, 0.34), (74.58, 0.25)),
    "sound/Ls†": ((21.15, 0.68), (24.54, 0.67), (21.32, 0.42)),
    "sound/SQ|Nv+a": ((31.64, 0.65), (34.68, 0.49), (29.31, 0.71)),
    "sound/KL|Nv+a": ((30.00, 0.86), (34.29, 0.35), (28.51, 0.99)),
    "sound/E": ((31.14, 0.30), (33.80, 1.03), (29.66, 0.13)),
    "image/Ls†": ((64.45, 0.97), (64.59, 1.12), (64.04, 1.07)),
    "image/SQ|Nv+a": ((74.86, 0.94), (74.11, 0.89), (73.98, 0.92)),
    "image/KL|Nv+a": ((74.36, 0.85), (73.40, 0.84), (73.52, 0.85)),
    "image/E": ((73.97, 0.39), (73.47, 0.52), (73.44, 0.45)),
    "image+sound/only E1": ((43.37, 0.59), (49.26, 0.36), (42.50, 0.42)),
    "image+sound/only E": ((54.23, 1.14), (52.57, 0.72), (48.65, 0.85)),
    "image+sound/only KL|Nv+a": ((3.08, 0.14), (9.69, 0.43), (4.46, 0.20)),
    "image+sound/only SQ|Nv+a": ((2.95, 0.07), (9.28, 0.17), (4.24, 0.07)),
}


def cells_of(table: int) -> list[str]:
    """Return the names of a table's cells.

    Raises:
        UserError: there is no such table.
    """
    if table not in TABLES:
        raise UserError(f"no table {table}; choose one of {', '.join(map(str, TABLES))}")
    return list(TABLES[table])


def paper_scores(cell: str) -> dict[str, tuple[float, float]]:
    """Return the paper's (mean, standard deviation) of each metric for a cell, in percent.

    Raises:
        KeyError: the paper has no such cell.
    """
    return dict(zip(METRICS, PAPER_SCORES[cell], strict=True))
