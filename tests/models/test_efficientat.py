import csv
import os
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from torch import nn
from torchvision.models import mobilenet_v3_large

from advance_lib.cache import UserError, file_digest
from advance_lib.cli import main
from advance_lib.data.media import read_clip
from advance_lib.models.audioset import event_names
from advance_lib.models.efficientat import CUT, EfficientAT, load, log_mel, rounded
from advance_lib.models.weights import WEIGHTS

# Kernel, stride, in, expanded, out and squeezed channels of features.1 to features.15 at width 0.4.
TABLE = [
    (3, 1, 8, 8, 8, None), (3, 2, 8, 24, 16, None), (3, 1, 16, 32, 16, None), (5, 2, 16, 32, 16, 8),
    (5, 1, 16, 48, 16, 16), (5, 1, 16, 48, 16, 16), (3, 2, 16, 96, 32, None), (3, 1, 32, 80, 32, None),
    (3, 1, 32, 72, 32, None), (3, 1, 32, 72, 32, None), (3, 1, 32, 192, 48, 48), (3, 1, 48, 272, 48, 72),
    (5, 2, 48, 272, 64, 72), (5, 1, 64, 384, 64, 96), (5, 1, 64, 384, 64, 96),
]  # fmt: skip


@pytest.fixture(scope="module")
def network():
    """A network with random weights and batch statistics."""
    torch.manual_seed(0)
    network = EfficientAT()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return network.eval()


@pytest.fixture
def state(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def test_channels_of_width_0_4(network):
    found = []
    for block in network.features[1:-1]:
        convolutions = [layer for layer in block.modules() if isinstance(layer, nn.Conv2d)]
        depthwise, projection = convolutions[-2:]
        squeezed = next((layer.out_features for layer in block.modules() if isinstance(layer, nn.Linear)), None)
        kernel, stride, entering = depthwise.kernel_size[0], depthwise.stride[0], convolutions[0].in_channels
        found.append((kernel, stride, entering, depthwise.out_channels, projection.out_channels, squeezed))
        assert block.residual == (stride == 1 and entering == projection.out_channels)
    assert found == TABLE
    assert sum(parameter.numel() for parameter in network.parameters()) == 983_599
    assert len(network.state_dict()) == 312


def described(layers):
    """The layers in order, without squeeze-and-excitation, which torchvision builds from other modules."""
    found = []
    for name, layer in layers.named_modules():
        if isinstance(layer, nn.Conv2d) and "fc" not in name:
            found.append((layer.out_channels, layer.kernel_size, layer.stride, layer.padding, layer.groups, layer.bias))
        elif isinstance(layer, nn.BatchNorm2d):
            found.append((layer.eps, layer.momentum))
        elif isinstance(layer, nn.ReLU | nn.Hardswish) and "activation" not in name:
            found.append(type(layer).__name__)
    return found


def squeezed(layers):
    return [
        layer.weight.shape[:2] for name, layer in layers.named_modules() if "fc" in name and hasattr(layer, "weight")
    ]


def test_width_1_is_the_standard_network():
    ours, theirs = EfficientAT(1.0, events=1000), mobilenet_v3_large()
    assert len(ours.features) == len(theirs.features) == 17
    assert described(ours.features[1:]) == described(theirs.features[1:])
    assert described(ours.features[0]) == described(theirs.features[0])  # but for the channels that enter
    assert squeezed(ours.features) == squeezed(theirs.features) and len(squeezed(ours.features)) == 16
    assert [layer.weight.shape for layer in ours.classifier if isinstance(layer, nn.Linear)] == [
        layer.weight.shape for layer in theirs.classifier if isinstance(layer, nn.Linear)
    ]


@pytest.mark.parametrize(("channels", "multiple"), [(6.4, 8), (9.6, 16), (25.6, 24), (28.8, 32), (44.8, 48), (64, 64)])
def test_channels_are_multiples_of_8(channels, multiple):
    assert rounded(channels) == multiple


def test_early_and_late_are_the_whole(network):
    x = torch.randn(2, 1, 128, 200)
    with torch.no_grad():
        last = network.features(x)
        logits, embedding = network.late(early := network.early(x))
        whole = network(x)
    assert early.shape == (2, 32, 8, 13) and 0 < CUT < len(network.features)
    torch.testing.assert_close(embedding, last.mean(dim=(2, 3)))
    torch.testing.assert_close(logits, network.classifier(last))
    assert torch.equal(whole[0], logits) and torch.equal(whole[1], embedding)
    assert logits.shape == (2, 527) and embedding.shape == (2, 384)


def test_the_late_part_alone_learns_from_kept_maps():
    network = EfficientAT()
    with torch.no_grad():
        early = network.early(torch.randn(2, 1, 128, 200))
    network.late(early)[0].sum().backward()
    learning = [all(p.grad is not None for p in layer.parameters()) for layer in network.features]
    assert learning == [False] * CUT + [True] * (17 - CUT)


def test_squeeze_and_excitation_by_hand(network):
    squeeze, x = network.features[4].block[2], torch.randn(1, 32, 3, 5)
    w1, b1, w2, b2 = (parameter.detach().numpy() for parameter in squeeze.parameters())
    hidden = np.maximum(x.numpy().mean((2, 3)) @ w1.T + b1, 0)
    weights = 1 / (1 + np.exp(-(hidden @ w2.T + b2)))
    np.testing.assert_allclose(squeeze(x).detach(), x.numpy() * weights[..., None, None], rtol=1e-5, atol=1e-6)


def test_blocks_add_their_input_where_shapes_allow_it(state):
    network = EfficientAT().eval()
    network.load_state_dict(state)
    for block, (_, stride, entering, _, leaving, _) in zip(network.features[1:-1], TABLE, strict=True):
        projection = block.block[-1][1]
        nn.init.zeros_(projection.weight), nn.init.zeros_(projection.bias)
        x = torch.randn(1, entering, 6, 8)
        expected = x if stride == 1 and entering == leaving else torch.zeros(1, leaving, 6 // stride, 8 // stride)
        with torch.no_grad():
            assert torch.equal(block(x), expected)


def mel(hertz):
    return 1127 * np.log(1 + hertz / 700)


def by_hand(signal):
    """The front end once more, in NumPy and double precision, at 32 kHz."""
    signal = signal[1:] - 0.97 * signal[:-1]
    padded = np.pad(signal, 512, mode="reflect")
    frames = np.stack([padded[i : i + 1024] for i in range(0, len(signal) + 1, 320)])
    window = np.pad(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(800) / 799), 112)
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    edges = np.linspace(mel(0), mel(15_000), 130)
    bins = mel(np.arange(512) * 32_000 / 1024)
    up = (bins - edges[:-2, None]) / (edges[1] - edges[0])
    down = (edges[2:, None] - bins) / (edges[1] - edges[0])
    energies = np.maximum(0, np.minimum(up, down)) @ power[:, :512].T
    return (np.log(energies + 1e-5) + 4.5) / 5


def test_front_end_by_hand():
    generator = np.random.default_rng(0)
    time = np.arange(16_000) / 32_000
    signal = 0.3 * np.sin(2 * np.pi * 440 * time) + 0.1 * generator.standard_normal(len(time)) * time
    found = log_mel(signal.astype(np.float32), 32_000)
    assert found.shape == (1, 128, 50) and found.dtype == torch.float32
    np.testing.assert_allclose(found[0].numpy(), by_hand(signal), atol=1e-4)


@pytest.mark.parametrize("rate", [22_050, 32_000, 44_100])
def test_any_rate_gives_the_same_spectrogram(rate):
    def tone(rate):
        return np.sin(2 * np.pi * 1000 * np.arange(10 * rate) / rate).astype(np.float32)

    found, expected = log_mel(tone(rate), rate), log_mel(tone(32_000), 32_000)
    assert found.shape == (1, 128, 1000)
    loud = expected > expected.max() - 1
    assert (found - expected)[..., 2:-2].abs()[loud[..., 2:-2]].max() < 1e-3


def test_a_whole_file_loads(network, state, tmp_path):
    torch.save(state, tmp_path / "whole.pt")
    loaded = load(str(tmp_path / "whole.pt"))
    assert not loaded.training
    assert all(torch.equal(tensor, state[name]) for name, tensor in loaded.state_dict().items())


def spoilt(state, how):
    name = "features.4.block.2.conc_se_layers.0.fc1.bias"
    match how:
        case "missing":
            del state[name]
        case "unknown":
            state["fc.weight"] = torch.zeros(3)
        case "shape":
            state[name] = torch.zeros(9)
        case "many":
            return {name: tensor for name, tensor in state.items() if "features" in name}
        case "wider":
            return EfficientAT(0.5).state_dict()
    return state


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("missing", r'Missing key\(s\) in state_dict: "features\.4\.block\.2\.conc_se_layers\.0\.fc1\.bias"; fetch'),
        ("unknown", r'Unexpected key\(s\) in state_dict: "fc\.weight"; fetch'),
        ("shape", r"fc1\.bias: copying a param with shape torch\.Size\(\[9\]\) .* is torch\.Size\(\[8\]\); fetch"),
        ("many", r'"classifier\.2\.weight", .*"classifier\.5\.bias"; fetch'),
        ("wider", r"not the weights of this EfficientAT: .* in all"),
    ],
)
def test_what_does_not_fit_is_named(state, tmp_path, how, words):
    torch.save(spoilt(state, how), tmp_path / "other.pt")
    with pytest.raises(UserError, match=r"other\.pt: .*" + words + r".*`advance download weights mn04`$"):
        load(tmp_path / "other.pt")


def test_a_wider_file_loads_as_such(tmp_path):
    torch.save(EfficientAT(0.5).state_dict(), tmp_path / "wide.pt")
    assert load(tmp_path / "wide.pt", width=0.5).classifier[2].in_features == 480


class Call:
    """Pickles as a call."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_other_files(tmp_path):
    path, mark = tmp_path / "other.pt", tmp_path / "ran"
    remedy = r"; fetch it with `advance download weights mn04`$"
    with pytest.raises(UserError, match=r"other\.pt: no such file" + remedy):
        load(path)
    for content, words in (([torch.zeros(3)], "it holds a list"), ({"epoch": 3}, "not the weights")):
        torch.save(content, path)
        with pytest.raises(UserError, match=rf"other\.pt: {words}.*" + remedy):
            load(path)
    torch.save(EfficientAT().state_dict(), path)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(UserError, match=r"other\.pt: not a PyTorch checkpoint, or only a part of one .*" + remedy):
        load(path)
    path.write_bytes(pickle.dumps(Call(mark), protocol=2))
    with pytest.raises(UserError, match=r"other\.pt: refused, for it asks to run 'posix\.mkdir'"):
        load(path)
    assert not mark.exists()
    pickle.loads(path.read_bytes())
    assert mark.exists()  # so the file would have run something


@pytest.fixture
def weights(shared):
    """The folder with the authors' file and the outputs that it must give."""
    if not (shared / "weights").exists():
        pytest.skip("the weights of EfficientAT (../shared/weights) are not here")
    return shared / "weights"


def test_reference_outputs(weights):
    file = weights / "mn04_as_mAP_432.pt"
    assert file_digest(file) == WEIGHTS["mn04"].sha256
    network = load(file)
    with open(weights / "reference_outputs.csv", encoding="utf-8", newline="") as table:
        expected = list(csv.DictReader(table))
    clips = sorted({row["clip"] for row in expected})
    assert len(clips) == 30 and len(expected) == 150
    for clip in clips:
        samples, rate = soundfile.read(weights / "reference_clips" / clip, dtype="float32")
        with torch.inference_mode():
            events = network(log_mel(samples, rate)[None])[0].sigmoid()[0]
        rows = sorted((row for row in expected if row["clip"] == clip), key=lambda row: int(row["rank"]))
        top = events.topk(5)
        assert [event_names()[i] for i in top.indices] == [row["label"] for row in rows], clip
        np.testing.assert_allclose(top.values, [float(row["probability"]) for row in rows], atol=1e-4, err_msg=clip)


LISTEN = """
import sys
from advance_lib.cli import main

code = main(sys.argv[1:])
heavy = {"torchvision", "lightning_fabric", "matplotlib", "sklearn", "pandas", "scipy"} & set(sys.modules)
print(sorted(heavy))
sys.exit(code)
"""


def test_listen_prints_bars_and_imports_little(state, tmp_path):
    state["classifier.5.weight"].zero_()
    state["classifier.5.bias"].fill_(-5)
    state["classifier.5.bias"][[event_names().index("Outside, rural or natural"), 0]] = torch.tensor([0.0, -1.0])
    torch.save(state, tmp_path / "some.pt")
    soundfile.write(tmp_path / "tone.wav", 0.1 * np.sin(np.arange(48_000) / 10), 16_000)
    command = ["listen", str(tmp_path / "tone.wav"), "--top", "2", "--weights", str(tmp_path / "some.pt")]
    done = subprocess.run([sys.executable, "-c", LISTEN, *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "heard in tone.wav",
        f"  {'Outside, rural or natural':28s}  50.0% {'█' * 20}",
        f"  {'Speech':28s}  26.9% {'█' * 11}",
        "[]",
    ]


def test_listen_writes_a_row_for_each_recording_of_a_folder(state, tmp_path):
    torch.save(state, tmp_path / "some.pt")
    (tmp_path / "sounds/below").mkdir(parents=True)
    for name, hertz in (("a.wav", 300), ("below/b.flac", 3000)):
        soundfile.write(tmp_path / "sounds" / name, 0.1 * np.sin(np.arange(48_000) * hertz / 2500), 16_000)
    (tmp_path / "sounds/c.wav").write_bytes(b"")
    weights = ["--weights", str(tmp_path / "some.pt"), "--top", "3"]
    assert main(["listen", str(tmp_path / "sounds"), *weights, "--to", str(tmp_path / "heard.csv")]) == 0
    table = pd.read_csv(tmp_path / "heard.csv", keep_default_na=False).set_index("sound")
    assert list(table.index) == ["a.wav", "below/b.flac", "c.wav"] and "empty" in table["problem"]["c.wav"]
    network = load(tmp_path / "some.pt")
    for name in ("a.wav", "below/b.flac"):
        with torch.inference_mode():
            y = network(log_mel(*read_clip(tmp_path / "sounds" / name))[None])[0].sigmoid()[0].topk(3)
        assert table["events"][name].split(";") == [event_names()[i] for i in y.indices]
        assert [float(value) for value in table["y"][name].split(";")] == pytest.approx(y.values.tolist(), abs=6e-4)
    assert main(["listen", str(tmp_path / "sounds"), *weights, "--to", str(tmp_path / "heard.csv")]) == 2
    assert main(["listen", str(tmp_path / "sounds/below"), "--top", "0"]) == 2
