"""The page in which a recogniser runs, with a network that was never trained: what it says is what PyTorch says."""

import re
import shutil

import checks
import numpy as np
import pytest
import soundfile
import torch
from checks import ROOT
from PIL import Image

from advance_lib.analysis.handed_on import HandedOn, inputs, probabilities
from advance_lib.data.features import FrontEnd
from advance_lib.figures import page as book
from advance_lib.figures import try_it
from advance_lib.models.audiovisual import BACKBONES, AudiovisualNet
from advance_lib.models.front_end import LogMel
from advance_lib.training.inputs import Normaliser
from runtime import FOLDER as RUNTIME

SIDE, RATE = 32, 16_000
ABOUT = {"sample_rate": RATE, "seconds": 10, "side": SIDE, "scenes": ["bridge", "forest", "lake", "port"]}
ABOUT |= {"events": ["Bird", "Car", "Rain", "Speech", "Train", "Wind"]}


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    backbones = BACKBONES["narrow visual"](1), BACKBONES["narrow audio"](len(ABOUT["events"]))
    model = AudiovisualNet(*backbones, len(ABOUT["scenes"]), SIDE, events_on="Na")
    normaliser = Normaliser(*(torch.full((n,), x) for n, x in ((64, -30.0), (64, 15.0), (3, 0.4), (3, 0.2))))
    return HandedOn(model, normaliser, "image+sound", LogMel(FrontEnd()), None).eval()


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A photograph that is wider than high, and a clip of three seconds in two channels."""
    folder, chance = tmp_path_factory.mktemp("pair"), np.random.default_rng(2)
    photograph = Image.fromarray(chance.integers(0, 256, (9, 14, 3), np.uint8)).resize((211, 130))
    photograph.save(folder / "photograph.png")
    clip = 0.3 * np.sin(np.arange(3 * RATE)[:, None] * [0.2, 0.31]) + chance.normal(0, 0.02, (3 * RATE, 2))
    soundfile.write(folder / "sound.wav", clip, RATE, subtype="FLOAT")
    return folder / "photograph.png", folder / "sound.wav"


@pytest.fixture
def opened(page, serve, network, pair, tmp_path, monkeypatch):
    """The page on a server of its own; yields it and what went wrong so far."""
    if not (runtime := ROOT / "_build" / RUNTIME).is_dir():
        pytest.skip("ONNX Runtime Web was not fetched (make try)")
    (tmp_path / "book").mkdir()
    monkeypatch.setenv("ADVANCE_BUILD", str(tmp_path / "_build"))
    figure = book.show(try_it.try_it(network, ABOUT, *pair, "lake"), "try-it", "Caption").data
    head = '<!DOCTYPE html><html lang="en"><title>Try it</title><link rel="stylesheet" href="interactive.css">'
    (tmp_path / "book" / "try_it.html").write_text(f"{head}<main><h1>Try it</h1>{figure}</main>", encoding="utf-8")
    shutil.copy(ROOT / "book" / "_static" / "interactive.css", tmp_path / "book")
    (tmp_path / "_build" / RUNTIME).symlink_to(runtime)
    problems = checks.load(page, f"{serve(tmp_path)}/book/try_it.html")
    page.locator("[data-ready]").wait_for()
    return page, problems


def shown(page):
    rows = page.locator(".answers li").evaluate_all(
        "rows => rows.map(row => [row.querySelector('.name').textContent, Number(row.querySelector('data').value)])"
    )
    return dict(rows)


def recognised(page, times):
    page.wait_for_selector(f'[data-recognised="{times}"]', timeout=60_000)
    return shown(page)


def of_pytorch(network, image, sound):
    scenes, events = probabilities(network, ABOUT, *inputs(ABOUT, image, sound))
    return {**scenes.head(try_it.TOP), **events.head(try_it.TOP)}


def test_the_example_and_files_of_the_reader_are_recognised_as_by_pytorch(opened, network, pair, tmp_path):
    page, problems = opened
    expected = of_pytorch(network, *pair)
    assert shown(page) == pytest.approx(expected, abs=1e-6)  # before anything is asked
    page.get_by_role("button", name="Use the example").press("Enter")
    assert recognised(page, 1) == pytest.approx(expected, abs=1e-4)
    other = tmp_path / "other.png"
    Image.fromarray(np.random.default_rng(3).integers(0, 256, (SIDE, 20, 3), np.uint8)).save(other)
    page.locator('input[accept="image/*"]').set_input_files(other)
    assert recognised(page, 2) == pytest.approx(of_pytorch(network, other, pair[1]), abs=1e-4)
    clip, _ = soundfile.read(pair[1])
    for times, rate in enumerate((22_050, 44_100, 8000), 3):
        sound = tmp_path / f"{rate}.wav"
        soundfile.write(sound, np.tile(clip, (3, 1)), rate, subtype="PCM_16")
        page.locator('input[accept="audio/*"]').set_input_files(sound)
        assert recognised(page, times) == pytest.approx(of_pytorch(network, other, sound), abs=1e-4)
    page.get_by_role("button", name="Use the example").click()
    assert recognised(page, 6) == pytest.approx(expected, abs=1e-4)
    assert not any(page.locator("input[type=file]").evaluate_all("inputs => inputs.map(input => input.files.length)"))
    assert problems == []


@pytest.mark.parametrize("kept", ["photograph", "sound"])
def test_half_of_the_example_stays_until_it_is_replaced(opened, network, pair, tmp_path, kept):
    page, problems = opened
    own = {"photograph": tmp_path / "own.png", "sound": tmp_path / "own.wav"}
    Image.fromarray(np.random.default_rng(4).integers(0, 256, (SIDE, 40, 3), np.uint8)).save(own["photograph"])
    soundfile.write(own["sound"], np.random.default_rng(5).normal(0, 0.1, 3 * RATE), RATE, subtype="FLOAT")
    own[kept] = pair[kept == "sound"]
    chosen, accept = ("sound", "audio/*") if kept == "photograph" else ("photograph", "image/*")
    page.locator(f'input[accept="{accept}"]').set_input_files(own[chosen])
    assert recognised(page, 1) == pytest.approx(of_pytorch(network, own["photograph"], own["sound"]), abs=1e-4)
    page.get_by_text(f"The {kept} is that of the example.").wait_for()
    assert page.locator(".pair img").is_visible() and page.locator(".pair audio").is_visible()
    assert problems == []


def test_camera_and_microphone(opened):
    page, problems = opened
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Take the photograph").click()
    recognised(page, 1)  # with the example's sound
    page.get_by_role("button", name="Record 10 seconds").click()
    page.get_by_role("button", name="Stop (7 s left)").click()
    found = recognised(page, 2)
    assert sum(value for name, value in found.items() if name in ABOUT["scenes"]) == pytest.approx(1, abs=1e-5)
    assert problems == []


def test_what_cannot_be_used_is_said(opened, tmp_path):
    page, _ = opened
    short = tmp_path / "short.wav"
    soundfile.write(short, np.zeros(RATE), RATE)
    page.locator('input[accept="audio/*"]').set_input_files(short)
    page.get_by_text(re.compile(r"lasts 1\.0 s; 2 s or more")).wait_for()


def test_without_the_runtime_the_page_says_how_to_get_it(opened, tmp_path):
    page, _ = opened
    (tmp_path / "_build" / RUNTIME).unlink()
    page.get_by_role("button", name="Use the example").click()
    page.get_by_text(re.compile("make try")).wait_for()


def test_opened_from_a_disk_it_shows_the_example_and_says_how_to_serve_it(opened, network, pair, tmp_path):
    page, _ = opened
    page.goto((tmp_path / "book" / "try_it.html").as_uri())
    page.get_by_text(re.compile("make serve")).wait_for()
    assert shown(page) == pytest.approx(of_pytorch(network, *pair), abs=1e-6)
    assert page.get_by_role("button", name="Use the example").is_disabled()


def test_everyone_can_read_it(opened):
    page, _ = opened
    assert checks.too_wide(page) + checks.accessibility(page) + checks.pictures(page) + checks.players(page) == []
