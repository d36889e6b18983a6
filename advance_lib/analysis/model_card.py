"""What a recogniser is, what it was trained on, how well it does, and what it is not for: its model card.

Chapter: Try it.
"""

import json
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from advance_lib.analysis.statistics import LEVEL, Estimate, location_confusions, over_both, resampled_f
from advance_lib.experiments.settings import RENDERED
from advance_lib.transfer.presets import Preset, differences
from advance_lib.transfer.recipe import CHECKPOINT

DATA = {
    "miniature": "the miniature, photographs and sounds that the library renders by rules",
    "advance": "ADVANCE (Hu et al., ECCV 2020; Zenodo record 3828124)",
}
GIVEN = {"image": "a photograph taken from above", "sound": "ten seconds of sound"}


def scores_of(folder: Path) -> dict[str, tuple[int, int, Estimate]]:
    """Return pairs, locations and weighted F-score in percent of each split that a run was tested on.

    The interval says how much the draw of the locations leaves open; of other trainings, one run says nothing.

    Args:
        folder: of the run.
    """
    table = pd.read_parquet(folder / "predictions.parquet")
    columns = [name for name in table if name.startswith("p(")]
    scenes, found = [name[2:-1] for name in columns], {}
    for split, rows in table.groupby("split", sort=False):
        truth, predicted = pd.Categorical(rows["scene"], scenes).codes, rows[columns].to_numpy().argmax(axis=1)
        confusions = location_confusions(truth, predicted, rows["location"].to_numpy(), len(scenes))
        found[split] = len(rows), len(confusions), over_both(resampled_f(confusions)[None], len(confusions))
    return found


def model_card(folder: Path, about: dict, onnx: bool) -> str:
    """Return the model card of a run as Markdown.

    Args:
        folder: of the run.
        about: its inputs and outputs, as from `handed_on.open_run`.
        onnx: whether it is handed on as ONNX, too.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    request, recipe = config["request"], config["recipe"]
    settings = request.get("settings", request)
    dataset = Path(settings["dataset"]).name
    data, rendered = DATA.get(dataset, f"the folder `{dataset}`, in ADVANCE's layout"), dataset == "miniature"
    changed = ", ".join(f"{name} = {value}" for name, value in differences(Preset(**recipe["preset"])).items())
    sources = settings.get("sources") or asdict(RENDERED)
    networks = ", ".join(f"{name} {source}" for name, source in sources.items() if source)
    transferred = recipe["transfer"]
    weights = f", α = {recipe['alpha']:g}, β = {recipe['beta']:g}" if transferred else ""
    scores = "\n".join(
        f"| {split} | {pairs:,} | {locations:,} | {found.difference:.1f} | {found.low:.1f} to {found.high:.1f} |"
        for split, (pairs, locations, found) in scores_of(folder).items()
    )
    limits = (
        "It was trained on the miniature and knows rendered pictures and sounds only: of a real photograph or a real "
        "recording its answer means nothing, and its scores say nothing about ADVANCE."
        if rendered
        else f"It knows the places and recorders of `{dataset}`; how well it does elsewhere was not measured here."
    )
    terms = (
        "The library, and the miniature that it renders, are under the MIT licence, and so are these weights."
        if rendered and sources == asdict(RENDERED)
        else "The library is under the MIT licence. The weights were made from the data and the networks named above, "
        "whose own terms may bind what is derived from them: look into these."
    )
    given = " and ".join(GIVEN[sense] for sense in recipe["senses"].split("+"))
    files = [
        f"- `{CHECKPOINT}`: the checkpoint, for `advance predict --checkpoint` and `one_run.load_checkpoint`",
        "- `config.json`: everything that made the run",
        "- `model.pt2`: the whole recogniser, front end included; it needs nothing but PyTorch",
    ]
    files += ["- `model.onnx`: the same for ONNX Runtime, in any language or in a browser"] * onnx
    return f"""# A recogniser of aerial scenes: {request["cell"]}, seed {request["seed"]}

From {given} it tells {len(about["scenes"])} scenes apart, and names
{len(about["events"])} sound events. It is one run of the ADVANCE companion
({config["environment"].get("advance-companion", "a version not recorded")}), which follows Hu et al., *Cross-Task
Transfer for Geotagged Audiovisual Aerial Scene Recognition*, ECCV 2020.

## Files

{chr(10).join(files)}

```python
import torch

recogniser = torch.export.load("model.pt2").module()
scenes, events = recogniser(samples, photograph)  # probabilities
```

`samples`: ({about["seconds"] * about["sample_rate"]},) float32 from −1 to 1, {about["seconds"]} s of one channel at \
{about["sample_rate"]} Hz. `photograph`: ({about["side"]}, {about["side"]}, 3) uint8, RGB, the
whole photograph resized with Pillow's bilinear filter.

- p(scene): {", ".join(about["scenes"])}
- p(event), by {about["events_by"]}: {"; ".join(about["events"])}

## Training

- data: {data}; profile {settings["profile"]}, training split
- senses: {recipe["senses"]}; networks {recipe["visual"]} and {recipe["audio"]}
- pre-trained: {networks if recipe["pretrained"] else "no"}
- objective: {f"L_{transferred}" if transferred else "L_s"}{weights}
- departures from the paper's choices: {changed or "none"}

## Scores

Weighted F-score in %, with the {1 - LEVEL:.0%} interval from resampling the locations. The epoch was selected on the
validation split. One run says nothing of how much another training would differ.

| split | pairs | locations | F-score | interval |
|---|---|---|---|---|
{scores}

## Limits

{limits} Anything that is not one of its scenes is forced into one. It is not made for surveillance, to find or follow
people, or to decide about people or places.

## Licence

{terms}
"""
