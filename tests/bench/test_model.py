import json
import math
from dataclasses import replace

import matplotlib
import pytest
import torch
from torch import nn
from torchvision.models import ResNet101_Weights

from advance_bench import model, pictures
from advance_bench.model import ASSUMED, DAY, HOUR, SIZES, YEAR, duration
from advance_lib.analysis.records import RESULTS
from advance_lib.experiments.cells import CELLS
from advance_lib.experiments.prepared import prepared
from advance_lib.experiments.profiles import PROFILES
from advance_lib.experiments.settings import Settings

matplotlib.use("Agg")
MINI, PAPER = PROFILES["mini"], PROFILES["paper"]


def record(epoch, **changes):
    """A record of a machine, with round numbers."""
    seconds = {cell: 100.0 + len(cell) for cell in CELLS}
    found = {
        "profile": "mini",
        "cores": 2,
        "environment": {"device": "a GPU"},
        "training": {"limit": 2 * epoch, "epoch": epoch, "ratio": 0.5},
        "machine": dict.fromkeys(
            ("GFLOP a pair", "peak GFLOP/s", "utilisation", "MB a pair", "copy GB/s", "memory bound"), 1.0
        )
        | {"peak memory GB": 2.0},
        "peer": {
            f"{what}, {kind}": 3.0 for what in ("input", "training") for kind in ("ours", "official style", "ratio")
        },
        "preparing": {"clip": 0.03, "clip_floor": 0.01, "photograph": 0.01, "photograph_floor": 0.005},
        "seconds a run of 8 epochs on as many pairs as ADVANCE": seconds,
        "projection": {"hours of all cells and seeds": 4.0},
        "the paper's networks, limit": {"batch of 4": 0.5},
        "agreement": {
            "float32, step 1": 2.0,
            "bfloat16, step 1": 2.02,
            "float32, step 2": 1.0,
            "bfloat16, step 2": 1.0,
        },
        "side by side": {"1": 100.0, "2": 150.0},
    }
    return found | changes


def test_the_kept_record_has_all_that_the_chapter_shows():
    kept = json.loads((RESULTS / "bench-cpu.json").read_text())
    shown = model.measured(kept)
    assert kept["effort"] == "full" and (shown["value"] > 0).all()
    assert set(model.cells(kept).index) == set(CELLS)
    assert shown["value"]["machine", "GFLOP a pair"] == pytest.approx(
        model.flops(MINI) / 1e9
    )  # there computed, here unreal
    assert kept["machine"]["bytes a pair kept"] == sum(model.bytes_kept(MINI).values())


def test_a_record_of_other_networks_is_known():
    for gflop, other in ((model.flops(MINI) / 1e9, False), (1.2 * model.flops(MINI) / 1e9, True)):
        assert model.of_other_networks({"profile": "mini", "machine": {"GFLOP a pair": gflop}}) == other


def test_how_far_the_precisions_are_apart():
    assert model.disagreement(record(100.0)) == pytest.approx(0.01)
    table = model.measured(record(100.0))["how known"]
    assert table["training", "limit"] == "measured" and table["machine", "GFLOP a pair"] == "computed"


def test_a_pair_takes_as_many_bytes_as_its_arrays(tiny, quick):
    counted = list(model.bytes_kept(PROFILES[quick]).values())
    images, log_mels, targets, _ = prepared(Settings(str(tiny), quick)).inputs.arrays
    assert [counted[0], counted[1], counted[3]] == [x[:1].nbytes for x in (images, log_mels, targets)]


def test_the_flops_are_those_that_others_published():
    """torchvision gives 7.8 billion multiply-adds for ResNet-101 at 224 pixels, one pass forward."""
    published = ResNet101_Weights.IMAGENET1K_V1.meta["_ops"] * 1e9
    ours = model.flops(replace(PAPER, image_side=224, training=replace(PAPER.training, batch_size=256)), "image")
    assert ours == pytest.approx(3 * 2 * published, rel=0.02)


def test_what_the_forward_pass_keeps(monkeypatch):
    """Convolution and batch norm keep their inputs, the activation its output; batch norm two numbers a channel."""
    layers = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()).to("meta")
    profile = replace(MINI, training=replace(MINI.training, batch_size=2), name="two layers")
    monkeypatch.setattr(model, "_unreal", lambda *_: (layers, torch.empty(2, 3, 8, 8, device="meta")))
    values = 2 * 64 * (3 + 4 + 4) + 2 * 4
    assert model.activations(profile) == 4 * values / 2
    assert model.parameters(profile) == 3 * 4 * 9 + 4 + 8
    assert model.step_memory(profile, torch.float32) == 4 * values + 16 * 120
    for cached in (model.activations, model.parameters):
        cached.cache_clear()


def test_half_the_precision_keeps_half_as_much():
    full, half = (model.activations(PROFILES["smoke"], dtype) for dtype in (torch.float32, torch.bfloat16))
    assert 0.5 <= half / full < 0.56  # the places of maximum pooling are whole numbers in both


def test_a_unimodal_cell_costs_its_own_sense():
    both, image, sound = (model.flops(MINI, senses) for senses in ("image+sound", "image", "sound"))
    assert both < image + sound < 1.1 * both  # the silent branch, once a batch
    assert model.mean_cell(MINI) == pytest.approx((10 * both + 5 * image + 5 * sound) / 20 / both)


def test_pairs_of_a_run():
    assert model.pairs_of_a_run(5075, 8) == pytest.approx(8 * (3537 + 475 / 3) + 1063 / 3)


def test_machines_are_what_was_measured_and_the_rest_assumed():
    small, large, gpu = model.machines(record(100.0))
    assert [machine.known for machine in (small, large, gpu)] == ["measured", "measured", "assumed"]
    assert small.run_seconds(5075) == pytest.approx(model.pairs_of_a_run(5075, MINI.training.epochs) / 100)
    assert small.paper_seconds(5075) == pytest.approx(100 / 1.5 * model.mean_cell(MINI) * small.run_seconds(5075))
    assert small.preparing_seconds(1000) == pytest.approx(1000 * 0.04 / 2) and large.seconds == 2
    assert small.run_memory(1e9) == pytest.approx(2e9)  # as measured; data stay in their files
    assumed = model.ASSUMED
    assert gpu.seconds == pytest.approx(model.flops(PAPER) / (assumed.utilisation * assumed.peak)) and gpu.cores == 16
    assert [small.how_known(n) for n in SIZES] == ["computed", "extrapolated", "extrapolated"]
    assert {gpu.how_known(n) for n in SIZES} == {"assumed"}


def test_a_measured_gpu_takes_the_place_of_the_assumed_one():
    *_, gpu = model.machines(record(100.0), record(2000.0, profile="paper", cores=8))
    assert (gpu.name, gpu.known, gpu.cores) == ("a GPU, paper", "measured", 8)
    assert gpu.seconds == 1 / 2000 and gpu.at_once == 1.5 and gpu.how_known(5075) == "computed"


def test_every_estimate_says_how_it_is_known():
    table = model.estimates(model.machines(record(100.0)))
    assert len(table) == 9 and set(table["how known"]) == {"computed", "extrapolated", "assumed"}
    paper = table.xs("H100 (assumed), paper", level="machine")
    assert paper["disk, GB"]["5,000,000"] == pytest.approx(5e6 * (196_608 + 51_200 + 4 * 527 + 8) / 1e9)
    assert paper["memory of a run, GB"].idxmax() == "50,000"  # the largest data that still fit beside the network


@pytest.mark.parametrize(
    "seconds, text",
    [(0.04, "0.04 s"), (40, "40 s"), (600, "10 min"), (3.5 * HOUR, "3.5 h"), (12 * DAY, "12 days"),
     (41 * YEAR, "41 years"), (1234 * YEAR, "1,234 years")],
)  # fmt: skip
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_several_devices_are_as_fast_as_their_link():
    gpu = model.machines(record(100.0))[2]
    alone = model.several_devices(gpu, (1,)).loc[1]
    assert alone["sent, MB"] == 0 and alone["faster"] == alone["faster between nodes"] == 1
    ideal = model.several_devices(gpu, (8,), replace(ASSUMED, link=math.inf, network=1e9)).loc[8]
    assert ideal["faster"] == pytest.approx(8) and ideal["faster between nodes"] < 1
    assert ideal["sent, MB"] == pytest.approx(2 * 7 / 8 * 4 * model.parameters(PAPER) / 1e6)


def test_what_breaks_breaks_where_it_is_said_to():
    gpu = model.machines(record(100.0))[2]
    table = model.breaking_points(gpu, checking=0.02, statistics=0.001)
    assert table["pairs"].is_monotonic_increasing
    last = table["pairs"]["data leave the device's memory"]
    assert gpu.resident(0.999 * last) > 0 and gpu.resident(1.001 * last) == 0
    assert gpu.run_seconds(table["pairs"]["one run takes a day"]) == pytest.approx(DAY)
    for pairs in SIZES[1:]:
        assert (table[f"at {pairs:,}"].str.startswith("breaks") == (table["pairs"] <= pairs)).all()


def test_the_timed_rates_are_rates(tiny):
    pairs = prepared(Settings(str(tiny), "smoke")).data.pairs
    assert 0 < model.checking_seconds(pairs, 3) < 1 and 0 < model.statistics_seconds(PROFILES["smoke"], 3) < 1


def test_only_what_was_measured_has_filled_markers():
    axis = pictures.time_by_pairs(model.machines(record(100.0)), 1800.0, 1014).axes[0]
    (marked,) = [line for line in axis.lines if line.get_marker() == "o"]
    assert marked.get_xydata().tolist() == [[1014, 1800]]
    assert [line.get_linestyle() for line in axis.lines if len(line.get_xdata()) == 2] == ["-", "--"] * 2 + [":", ":"]
