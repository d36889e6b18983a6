"""A run, handed on: one folder that others can use without this library.

The exported network begins with the samples of a recording and the pixels of a photograph, and ends with
probabilities; the front end is a part of its graph.

Chapter: Try it.
"""

import json
import os
import shutil
import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from advance_lib.analysis.model_card import model_card
from advance_lib.analysis.one_pair import first_ears, sources_in
from advance_lib.cache import UserError, build_folder
from advance_lib.data.features import resized
from advance_lib.data.media import CLIP_SECONDS, read_clip, read_image
from advance_lib.data.resampling import resampled
from advance_lib.experiments.one_run import load_checkpoint, recipe_in
from advance_lib.models.audiovisual import AudiovisualNet
from advance_lib.models.front_end import KaldiLogMel, LogMel, front_end_of
from advance_lib.models.own import register_own
from advance_lib.training.inputs import Batch, Normaliser, prepared
from advance_lib.transfer.recipe import CHECKPOINT

PROGRAM, ONNX = "model.pt2", "model.onnx"
OF_A_RUN = (CHECKPOINT, "config.json", "predictions.parquet")


def run_folder(name: Path | str) -> Path:
    """Return the folder of a finished run.

    Args:
        name: its path, or its own name below the build folder's ``runs``.

    Raises:
        UserError: no such run, or one that lacks a file.
    """
    runs = build_folder() / "runs"
    found = next((folder for folder in (Path(name), runs / name) if folder.is_dir()), None)
    if found is None:
        raise UserError(f"{name}: no such run; give a folder, or the name that `advance train` prints of one in {runs}")
    if missing := [file for file in OF_A_RUN if not (found / file).is_file()]:
        raise UserError(f"{found}: not a finished run, for it has no {missing[0]}; let `advance train` finish it")
    return found


class HandedOn(nn.Module):
    """A recogniser from samples and pixels to probabilities.

    Args:
        model: in evaluation mode.
        normaliser: of its inputs.
        senses: that it has.
        front_end: how it hears.
        ears: N_a(0), which names the events where the recogniser has no event head; else None.
    """

    def __init__(
        self,
        model: AudiovisualNet,
        normaliser: Normaliser,
        senses: str,
        front_end: LogMel | KaldiLogMel,
        ears: nn.Module | None,
    ):
        super().__init__()
        self.model, self.normaliser, self.senses = model, normaliser, senses
        self.front_end, self.ears = front_end, ears

    def forward(self, samples: Tensor, photograph: Tensor) -> tuple[Tensor, Tensor]:
        """Return p(scene), (scenes,), and p(event), (events,).

        Args:
            samples: (10 * sampling rate,) float32, mono.
            photograph: (side, side, 3) uint8, as `features.resized` gives it.
        """
        batch = prepared(Batch(photograph[None], self.front_end(samples)[None], samples), self.normaliser)
        image, log_mel = (
            value if sense in self.senses else None
            for sense, value in (("image", batch.image), ("sound", batch.log_mel))
        )
        outputs = self.model(image, log_mel)
        events = self.ears(batch.log_mel) if self.ears else outputs.events
        return outputs.scenes.softmax(dim=1)[0], events.sigmoid()[0]


def open_run(folder: Path) -> tuple[HandedOn, dict]:
    """Return a run as it is handed on, in evaluation mode, and what its inputs and outputs are.

    Args:
        folder: of the run.

    Returns:
        The recogniser, and a dictionary of ``sample_rate`` (Hz), ``seconds``, ``side`` (pixels), ``scenes`` and
        ``events`` (names) and ``events_by`` (whose answer p(event) is).
    """
    register_own(folder / CHECKPOINT)
    model, normaliser, config = load_checkpoint(folder / CHECKPOINT)
    recipe, ears, names = recipe_in(config), None, config["events"]
    front_end = front_end_of(sources_in(config).hearing(recipe.preset))
    if model.events_on is None:
        network = first_ears(config)
        ears, names = network.open(), network.classes
    about = {
        "sample_rate": front_end.sample_rate,
        "seconds": CLIP_SECONDS,
        "side": config["image_side"],
        "scenes": config["scenes"],
        "events": list(names),
        "events_by": "its own event head" if ears is None else "N_a(0), the audio network that it started from",
    }
    return HandedOn(model, normaliser, recipe.senses, front_end, ears).eval(), about


def inputs(about: dict, image: Path | str, sound: Path | str) -> tuple[Tensor, Tensor]:
    """Return samples and pixels of a pair as an exported network takes them.

    Args:
        about: as from `open_run`.
        image: photograph.
        sound: recording of at least two seconds.
    """
    clip, rate = read_clip(sound)
    samples = resampled(torch.from_numpy(clip.astype(np.float64)), rate, about["sample_rate"]).float()
    return samples[: about["seconds"] * about["sample_rate"]], torch.tensor(resized(read_image(image), about["side"]))


def probabilities(network: HandedOn, about: dict, samples: Tensor, photograph: Tensor) -> tuple[pd.Series, pd.Series]:
    """Return p(scene) and p(event) of a pair, highest first.

    Args:
        network: as from `open_run`.
        about: as from `open_run`.
        samples: as from `inputs`.
        photograph: as from `inputs`.
    """
    with torch.inference_mode():
        scenes, events = network(samples, photograph)
    return tuple(
        pd.Series(values.numpy(), names, name=name).sort_values(ascending=False)
        for name, values, names in (("p(scene)", scenes, about["scenes"]), ("p(event)", events, about["events"]))
    )


def _traced(network: HandedOn, about: dict) -> torch.export.ExportedProgram:
    samples = torch.zeros(about["seconds"] * about["sample_rate"])
    photograph = torch.zeros(about["side"], about["side"], 3, dtype=torch.uint8)
    with warnings.catch_warnings(action="ignore"):  # of PyTorch's about itself
        program = torch.export.export(network, (samples, photograph))
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # names files of this machine
    return program


def onnx_of(network: HandedOn, about: dict) -> bytes:
    """Return a recogniser as an ONNX file; ``about`` is kept in its metadata, each value as JSON.

    Raises:
        UserError: the packages that write ONNX are not there.
    """
    if not (find_spec("onnx") and find_spec("onnxscript")):
        raise UserError("ONNX needs the packages onnx and onnxscript (pip install '.[export]')")
    names = {"input_names": ["samples", "photograph"], "output_names": ["scenes", "events"]}
    with warnings.catch_warnings(action="ignore"):
        found = torch.onnx.export(_traced(network, about), dynamo=True, verbose=False, **names)
    model = found.model_proto
    for key, value in about.items():
        model.metadata_props.add(key=key, value=json.dumps(value))
    return model.SerializeToString()


def export(run: Path | str, folder: Path, onnx: bool = False) -> None:
    """Hand a run on: checkpoint, configuration, model card, and the network as a file that needs only PyTorch.

    Args:
        run: path or name of a finished run.
        folder: to make; it is there when all of it is.
        onnx: write the network as ONNX too.

    Raises:
        UserError: no such run, the folder holds something, or the packages that write ONNX are not there.
    """
    source, folder = run_folder(run), Path(folder)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UserError(f"{folder}: is there already and not empty; give another name")
    network, about = open_run(source)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as partial:
        made = Path(partial, "made")
        made.mkdir()
        for name in (CHECKPOINT, "config.json"):
            shutil.copyfile(source / name, made / name)
        torch.export.save(_traced(network, about), made / PROGRAM, extra_files={"about.json": json.dumps(about)})
        if onnx:
            (made / ONNX).write_bytes(onnx_of(network, about))
        (made / "README.md").write_text(model_card(source, about, onnx), encoding="utf-8")
        os.replace(made, folder)
