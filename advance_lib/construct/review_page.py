"""A page in JupyterLab on which people correct the suggested labels: what they see, what they hear, one key a scene.

It writes the same ``review.csv`` as a spreadsheet would, after every decision. A notebook widget cannot listen to the
whole keyboard without a script of its own, so the keys work in one small field: a click into it, and every letter
typed there is a decision.

Chapter: Building a dataset.
"""

from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path

import ipywidgets as widgets

from advance_lib.cache import UserError
from advance_lib.construct.review import LEAVE_OUT, Row, read_review, write_review
from advance_lib.data.published import SCENES

KEYS = dict(zip(SCENES, "abrfoghlcespt", strict=True)) | {LEAVE_OUT: "n"}
SUGGESTED, LATER, UNDO = " ", ".", "u"


class ReviewPage(widgets.VBox):
    """The page; show it as the last line of a cell.

    Args:
        out: the dataset's folder, after the step review.
        every: show places with a suggestion as well; False asks only about those without.

    Raises:
        UserError: there is no review.csv, or it cannot be used.
    """

    def __init__(self, out: Path | str, every: bool = True):
        self.folder = Path(out).expanduser() / "construction"
        self.path = self.folder / "review.csv"
        self.order = [row.id for row in read_review(self.path) if every or not row.suggestion]
        self.done: list[tuple[str, str]] = []  # (id, what its scene was before), for undo
        self.here: str | None = None
        self.picture = widgets.Image(format="jpeg", layout={"width": "512px"})
        self.player = widgets.Audio(format="wav", autoplay=False, loop=False)
        self.about, self.message = widgets.HTML(), widgets.HTML()
        self.progress = widgets.IntProgress(min=0, max=max(1, len(self.order)), layout={"width": "512px"})
        self.field = widgets.Text(
            placeholder="click here, then type: a letter a scene, blank = as suggested, . = later, u = undo",
            layout={"width": "512px"},
        )
        self.field.observe(self._typed, "value")
        self.scenes = {scene: self._button(f"{scene} [{key}]", scene) for scene, key in KEYS.items()}
        self.suggested = self._button("as suggested [blank]", None)
        self.later = self._button("later [.]", None)
        self.undo = self._button("undo [u]", None)
        for button, action in ((self.suggested, self.accept), (self.later, self.skip), (self.undo, self.take_back)):
            button.on_click(lambda _, action=action: self._guarded(action))
        for scene, button in self.scenes.items():
            button.on_click(lambda _, scene=scene: self._guarded(lambda: self.decide(scene)))
        choices = widgets.Box(list(self.scenes.values()), layout={"flex_flow": "row wrap", "width": "512px"})
        actions = widgets.HBox([self.suggested, self.later, self.undo])
        super().__init__(
            [self.progress, self.picture, self.player, self.about, choices, actions, self.field, self.message]
        )
        self._guarded(self.skip)

    @staticmethod
    def _button(text: str, scene: str | None) -> widgets.Button:
        return widgets.Button(description=text, tooltip=scene or text, layout={"width": "164px"})

    def _rows(self) -> dict[str, Row]:
        """Return the table as it is now: people may edit it in a spreadsheet meanwhile."""
        return {row.id: row for row in read_review(self.path)}

    def _next_open(self) -> str | None:
        """Return the next place behind this one without a decision, from the start again after the last."""
        rows = self._rows()
        start = self.order.index(self.here) + 1 if self.here else 0
        return next((i for i in self.order[start:] + self.order[:start] if i in rows and not rows[i].scene), None)

    def _show(self, place: str | None) -> None:
        rows = self._rows()
        self.here = place
        self.progress.value = sum(bool(rows[i].scene) for i in self.order if i in rows)
        self.progress.description = f"{self.progress.value} of {len(self.order)}"
        if place is None:
            self.picture.value = self.player.value = b""
            self.about.value = "Every place has been looked at. Run the same construction again to use the labels."
            return
        row = rows[place]
        self.picture.value = (self.folder / "photographs" / f"{place}.jpg").read_bytes()
        self.player.value = (self.folder / "clips" / f"{place}.wav").read_bytes()
        name = escape(row.name or place)
        link = f'<a href="{escape(row.url)}" target="_blank" style="text-decoration: underline">{name}</a>'
        title = link if row.url.startswith("http") else name
        suggestion = escape(row.suggestion or f"no suggestion ({row.review})")
        self.about.value = f"{title}<br><b>{suggestion}</b>: {escape(row.reason)}"

    def _set(self, place: str, scene: str) -> str:
        """Write a decision; return what was there before."""
        rows = self._rows()
        if place not in rows:
            raise UserError(f"{self.path}: has no row for id {place} any more; make this page anew")
        before = rows[place].scene
        write_review(self.path, [replace(row, scene=scene) if row.id == place else row for row in rows.values()])
        return before

    def decide(self, scene: str) -> None:
        """Give the place that is shown a scene, or `LEAVE_OUT`, and go on."""
        if self.here is not None:
            self.done.append((self.here, self._set(self.here, scene)))
            self._show(self._next_open())

    def accept(self) -> None:
        """Confirm the suggestion, where there is one."""
        if self.here is not None:
            suggestion = self._rows()[self.here].suggestion
            if not suggestion:
                raise UserError("nothing is suggested here: choose a scene")
            self.decide(suggestion)

    def skip(self) -> None:
        """Show the next place without a decision."""
        self._show(self._next_open())

    def take_back(self) -> None:
        """Undo the last decision of this page and show its place."""
        if self.done:
            place, before = self.done[-1]
            self._set(place, before)
            self.done.pop()
            self._show(place)

    def _typed(self, change: dict) -> None:
        """Act on what was added to the field; it is not emptied, as that would race with fast fingers."""
        old, new = change["old"], change["new"]
        scenes = {key: scene for scene, key in KEYS.items()}
        others = {SUGGESTED: self.accept, LATER: self.skip, UNDO: self.take_back}
        for key in new.removeprefix(old).lower() if new.startswith(old) else "":
            if key in scenes:
                self._guarded(lambda key=key: self.decide(scenes[key]))
            elif key in others:
                self._guarded(others[key])

    def _guarded(self, action: Callable[[], None]) -> None:
        """Do something, and say on the page what went wrong: nobody reads a kernel's log."""
        try:
            action()
            self.message.value = ""
        except (UserError, OSError) as error:
            self.message.value = f"<b>Not done</b>: {escape(str(error))}"
