"""Fixtures: a build folder of the test's own, and a dataset so small that its truth is plain."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.pairs import write_pair

os.environ["TQDM_DISABLE"] = "1"

TRAINING = {"quick"}  # fixtures
BUILDING = {Path(__file__).parent / room for room in ("book", "bench")}


def pytest_collection_modifyitems(items):
    """Mark what trains or builds pages, so that `make check` leaves it out."""
    for item in items:
        if TRAINING.intersection(item.fixturenames) or BUILDING.intersection(item.path.parents):
            item.add_marker("trains")


SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture
def shared():
    """The folder of real material; tests that want it skip where it is absent."""
    if not SHARED.exists():
        pytest.skip("the folder of real material (../shared) is not here")
    return SHARED


@pytest.fixture(autouse=True)
def build(tmp_path, monkeypatch):
    """A build folder of the test's own."""
    folder = tmp_path / "build"
    monkeypatch.setenv("ADVANCE_BUILD", str(folder))
    return folder


COLOURS = {"desert": ((200, 150, 60), 300.0), "ice": ((200, 210, 215), 800.0), "wood": ((20, 90, 20), 2000.0)}


@pytest.fixture
def tiny(tmp_path):
    """Three scenes of a user's own, ten locations each, every third with a sibling: 42 pairs."""
    folder = tmp_path / "tiny"
    for index, (scene, (colour, hertz)) in enumerate(COLOURS.items()):
        for location in range(10):
            name = f"{1000 * index + location:05d}"
            write_pair(folder, scene, name, colour, hertz)
            if location % 3 == 0:
                write_pair(folder, scene, f"{name}_1", colour, hertz * 1.01)
    return folder


@pytest.fixture(scope="session")
def rendered(tmp_path_factory):
    """A folder that the session's tests share, in whichever process they run."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "rendered"


@pytest.fixture
def quick(build, rendered, monkeypatch):
    """A profile that trains in a second; what is rendered and pre-trained for it is made once for all tests."""
    from advance_lib.experiments import profiles

    build.mkdir(exist_ok=True)
    for kind in ("aerial-sets", "event-sets", "worlds", "pretrained"):
        (rendered / kind).mkdir(parents=True, exist_ok=True)
        (build / kind).symlink_to(rendered / kind)

    smoke = profiles.PROFILES["smoke"]
    profile = replace(
        smoke,
        name="quick",
        image_side=32,
        event_clips=40,
        aerial_pictures=40,
        training=replace(smoke.training, epochs=1),
        pretraining=replace(smoke.pretraining, epochs=1),
    )
    monkeypatch.setitem(profiles.PROFILES, "quick", profile)
    return "quick"


@pytest.fixture
def request_of(tiny, quick):
    """The request for one run on three scenes."""
    from advance_lib.experiments.runs import requests_for
    from advance_lib.experiments.settings import Settings

    return requests_for(Settings(str(tiny), quick, seeds=1, device="cpu"), "image+sound/Ls")[0]


@pytest.fixture
def server(request, monkeypatch):
    """The server of the test module's PLANET, well behaved until a test gives it faults."""
    from tests.faults import serve

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve(request.module.PLANET) as running:
        yield running
