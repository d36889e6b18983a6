from dataclasses import replace

import numpy as np
import pytest
import torch
from joblib.externals.loky import get_reusable_executor
from safetensors.torch import load_file

from advance_lib.analysis.handed_on import open_run
from advance_lib.analysis.one_pair import open_pair, recognise
from advance_lib.cache import UserError
from advance_lib.experiments.runs import finished, requests_for
from advance_lib.experiments.settings import Settings, Sources
from advance_lib.models.own import own_network

TRANSFORMER = """
import torch
from torch import nn

WIDTH = 16


class Transformer(nn.Module):
    features = WIDTH

    def __init__(self, classes, channels, patch, sound_shape=None):
        super().__init__()
        self.sound_shape = sound_shape
        self.patches = nn.Conv2d(channels, WIDTH, patch, patch)
        layer = nn.TransformerEncoderLayer(WIDTH, 2, 32, 0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 1)
        self.fc = nn.Linear(WIDTH, classes)

    def represent(self, x):
        return self.layers(self.patches(x).flatten(2).transpose(1, 2)).mean(dim=1)

    def forward(self, x):
        return self.fc(self.represent(x))


def sees(classes):
    return Transformer(classes, 3, 8)


def hears(classes):
    return Transformer(classes, 1, (40, 16), (1, 400, 64))


def trained(classes):
    torch.manual_seed(7)
    return sees(classes)


trained.classes = ["roof", "road", "field", "water"]


def part(classes):
    return nn.Linear(4, classes)
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "my_net.py"
    path.write_text(TRANSFORMER)
    return path


def requests(folder, profile, cell="image+sound/SQ|Na", **sources):
    return requests_for(Settings(str(folder), profile, seeds=2, device="cpu", sources=Sources(**sources)), cell)


def test_a_transformer_of_ones_own_is_pre_trained_trained_and_asked(file, tiny, quick):
    asked = requests(tiny, quick, visual=f"{file}:sees", audio=f"{file}:hears")
    get_reusable_executor().shutdown()  # workers of another test have another build folder
    runs = finished(asked, jobs=2)  # they know the network by its file
    get_reusable_executor().shutdown()
    opened = runs[0].open().network
    assert opened.visual.features == opened.audio.features == 16
    assert opened.visual.patches.kernel_size == (8, 8) and opened.audio.sound_shape == (1, 400, 64)
    row = runs[0].predictions.iloc[0]
    image, sound = (tiny / s / row["scene"] / f"{row['id']}.{e}" for s, e in (("vision", "jpg"), ("sound", "wav")))
    for scene, probability in recognise(open_pair(runs[0].checkpoint, image, sound)).items():
        assert probability == pytest.approx(row[f"p({scene})"], abs=2e-3)
    assert open_run(runs[0].folder)[1]["scenes"] == ["desert", "ice", "wood"]


def test_an_edited_network_is_another_one(file, tiny, quick):
    asked = requests(tiny, quick, "image/Ls", visual=f"{file}:sees")[0]
    before, visual, run = asked.key(), asked.shared.visual.key, finished([asked])[0]
    file.write_text(TRANSFORMER.replace("WIDTH = 16", "WIDTH = 8"))
    from advance_lib.experiments.prepared import forget

    forget()
    assert asked.key() != before and asked.shared.visual.key != visual
    with pytest.raises(UserError, match=r"my_net\.py:sees: has been edited"):
        open_run(run.folder)
    file.write_text(f'"""Networks."""\n{TRANSFORMER}  # with a comment')
    forget()
    assert asked.key() == before


def test_weights_that_it_brings_are_where_training_starts(file, tiny, quick):
    request = requests(tiny, quick, "image/Ls", visual=f"{file}:trained")[0]
    visual = request.shared.visual
    torch.manual_seed(7)
    assert visual.classes == ("roof", "road", "field", "water") and np.isnan(visual.score)
    assert load_file(visual.weights)["fc.weight"].shape == (4, 16)
    state = visual.open().state_dict()
    assert all(value.equal(state[name]) for name, value in load_file(visual.weights).items())
    plain = requests(tiny, quick, "image/Ls", visual=f"{file}:sees")[0]
    assert plain.shared.visual.classes != visual.classes and plain.key() != request.key()


@pytest.mark.parametrize(
    ("function", "said"),
    [("nobody", "has no function 'nobody'"), ("part", r"lacks features, represent, fc"), ("a b", "no such file")],
)
def test_what_is_no_network_is_refused(file, function, said):
    with pytest.raises(UserError, match=said):
        own_network(f"{file}:{function}")


def test_a_file_that_is_missing_or_fails_is_named(file):
    with pytest.raises(UserError, match=r"none\.py:sees: no such file"):
        Sources(visual=str(file.with_name("none.py:sees")))
    file.write_text("1 / 0")
    with pytest.raises(UserError, match=r"my_net\.py: ends in an error \(ZeroDivisionError"):
        own_network(f"{file}:sees")


def test_the_teacher_may_be_ones_own(file, tiny, quick):
    request = requests(tiny, quick, "image+sound/KL|Nv+a", teacher=f"{file}:hears")[0]
    own = replace(request, settings=replace(request.settings, sources=Sources()))
    assert request.key() != own.key()
    assert request.shared.knowledge.soft_responses.shape[1] == len(request.shared.teacher.classes)
