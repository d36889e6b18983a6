"""What training asks for, counted; what it takes on some machine, measured or assumed; what more data would take.

Chapter: What it costs.
"""

import time
from dataclasses import dataclass, fields
from functools import cache

import numpy as np
import pandas as pd
import torch
from torch.autograd.graph import saved_tensors_hooks

from advance_bench.limits import flops_of, step_bytes
from advance_bench.speed import ADVANCE_SPLIT, EVENTS, SEEDS, recipe_of
from advance_lib.analysis.words import power_of_ten
from advance_lib.cache import file_digest
from advance_lib.data.media import read_clip, read_image
from advance_lib.data.published import SCENES
from advance_lib.experiments.cells import CELLS
from advance_lib.experiments.profiles import Profile, get_profile
from advance_lib.models.audiovisual import AudiovisualNet
from advance_lib.training.feeding import SHARE
from advance_lib.training.inputs import Normaliser
from advance_lib.transfer.recogniser import build

PARAMETER_BYTES = 16  # float32: the weight, its gradient, and Adam's two moments
RECOGNISING = 1 / 3  # of the FLOP of training: the forward pass; backward takes twice as many
ADVANCE_PAIRS = sum(ADVANCE_SPLIT.values())
SIZES = (ADVANCE_PAIRS, 50_000, 5_000_000)
PARTS = ("training", "machine", "peer", "preparing", "the paper's networks, limit", "projection")  # of a record
COUNTED = ("GFLOP a pair", "MB a pair", "bytes a pair kept", "hours of all cells and seeds")  # the rest is measured
HOUR, DAY, WEEK, YEAR = 3600, 86_400, 604_800, 31_557_600


@dataclass(frozen=True)
class Assumptions:
    """What nobody measured here; `dataclasses.replace` changes one of them.

    Attributes:
        utilisation: share of the peak that training reaches on the GPU; so much was measured once, on an H100.
        peak: of the GPU, FLOP/s in bfloat16; the fastest product measured on an H100 (its data sheet has 989e12).
        bandwidth: of its memory, bytes/s; H100 SXM, data sheet.
        device_memory: of the GPU, bytes; H100 SXM, data sheet.
        link: between GPUs of one node, bytes/s in each direction; NVLink of the H100, half of its data sheet's sum.
        network: between nodes, bytes/s in each direction; Ethernet of 100 Gbit/s.
        cores: beside the GPU, each as fast as one that was measured.
        host_memory: beside the GPU, bytes.
        disk: of one node, bytes.
    """

    utilisation: float = 0.08
    peak: float = 786e12
    bandwidth: float = 3.35e12
    device_memory: float = 80e9
    link: float = 450e9
    network: float = 12.5e9
    cores: int = 16
    host_memory: float = 128e9
    disk: float = 1e12


ASSUMED = Assumptions()


def assumptions(assumed: Assumptions = ASSUMED) -> pd.DataFrame:
    """Return every assumption with its value and, from the docstring, what it means."""
    texts = dict(line.strip().split(": ", 1) for line in Assumptions.__doc__.splitlines() if ": " in line)
    rows = {field.name: [_value(getattr(assumed, field.name)), texts[field.name]] for field in fields(assumed)}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "what it is"])


def _value(value: float) -> str:
    return power_of_ten(value, 3) if value >= 1e6 else f"{value:,.4g}"


def measured(record: dict) -> pd.DataFrame:
    """Return a machine's figures under the names that the measurement prints: columns ``value`` and ``how known``.

    Args:
        record: of ``python -m advance_bench``, not a short one.
    """
    found = [(part, *item) for part in PARTS for item in record[part].items()]
    rows = {(part, name.replace("_", " ")): value for part, name, value in found if "workers" not in name}
    table = pd.DataFrame({"value": pd.Series(rows)}).rename_axis(["part", "figure"])
    table["how known"] = ["computed" if name in COUNTED else "measured" for _, name in table.index]
    return table


def of_other_networks(record: dict) -> bool:
    """Return whether a machine was measured with other networks than its profile has today."""
    today = flops(get_profile(record["profile"])) / 1e9
    return not np.isclose(record["machine"]["GFLOP a pair"], today, rtol=1e-3)


def disagreement(record: dict) -> float:
    """Return by which share the loss in bfloat16 with compiled blocks is off that in float32 at most."""
    steps = record["agreement"]
    pairs = [(full, steps[name.replace("float32", "bfloat16")]) for name, full in steps.items() if "float32" in name]
    return max(abs(half / full - 1) for full, half in pairs)


def bytes_kept(profile: Profile) -> dict[str, int]:
    """Return the bytes of a prepared pair by part, as the arrays hold it; responses are those to AudioSet's events."""
    return {
        "photograph, uint8": 3 * profile.image_side**2,
        "log-mel spectrogram, float16": 2 * 400 * 64,
        "responses to events, float32": 4 * EVENTS,
        "scene, int64": 8,
    }


def _unreal(
    profile: Profile, senses: str, dtype: torch.dtype
) -> tuple[AudiovisualNet, torch.Tensor | None, torch.Tensor | None]:
    """Return a network and a batch that have shapes and no values."""
    size, side = profile.training.batch_size, profile.image_side
    with torch.device("meta"):
        network = build(recipe_of(f"{senses}/Ls", profile), len(SCENES), side, None, None, EVENTS).to(dtype)
        image = torch.empty(size, 3, side, side, dtype=dtype) if "image" in senses else None
        log_mel = torch.empty(size, 1, 400, 64, dtype=dtype) if "sound" in senses else None
    return network, image, log_mel


@cache
def flops(profile: Profile, senses: str = "image+sound") -> float:
    """Return the FLOP of training on a pair, forward and backward, counted as by `limits.flops_of`.

    Args:
        profile: networks, side and batch size; a silent branch is computed once a batch.
        senses: ``"image"``, ``"sound"`` or ``"image+sound"``.
    """
    network, *batch = _unreal(profile, senses, torch.float32)
    return flops_of(lambda: network(*batch).scenes.sum().backward()) / profile.training.batch_size


@cache
def parameters(profile: Profile) -> int:
    """Return how many weights both networks and the scene head have."""
    return sum(x.numel() for x in _unreal(profile, "image+sound", torch.float32)[0].parameters())


@cache
def activations(profile: Profile, dtype: torch.dtype = torch.float32) -> float:
    """Return the bytes of a pair that the forward pass keeps for the backward pass, image and sound.

    Each storage counts once, those of the network itself not at all. Autocast to bfloat16 keeps as much as a network
    that is bfloat16 throughout, which is what is counted here; compiled blocks may keep less.

    Args:
        profile: networks, side and batch size.
        dtype: of the activations.
    """
    network, *batch = _unreal(profile, "image+sound", dtype)
    own = {x.untyped_storage()._cdata for x in (*network.parameters(), *network.buffers())}
    saved = {}

    def keep(x: torch.Tensor) -> torch.Tensor:
        saved[x.untyped_storage()._cdata] = x  # the tensor itself, so that no other gets its number
        return x

    with saved_tensors_hooks(keep, lambda x: x):
        network(*batch)
    kept = sum(x.untyped_storage().nbytes() for number, x in saved.items() if number not in own)
    return kept / profile.training.batch_size


def step_memory(profile: Profile, dtype: torch.dtype) -> float:
    """Return the bytes of a training step: weights, gradients, moments, and what is kept for the backward pass."""
    return PARAMETER_BYTES * parameters(profile) + activations(profile, dtype) * profile.training.batch_size


def most_utilisation(profile: Profile, assumed: Assumptions = ASSUMED) -> float:
    """Return the share of the GPU's peak that its memory allows a step in bfloat16, as `limits.step_bytes` counts."""
    moved = step_bytes(*_unreal(profile, "image+sound", torch.bfloat16), 2) / profile.training.batch_size
    return flops(profile) / assumed.peak / (moved / assumed.bandwidth)


def mean_cell(profile: Profile) -> float:
    """Return the FLOP of the twenty cells' mean as a share of those of image and sound together."""
    counted = [flops(profile, cell.split("/")[0]) for cell in CELLS]
    return float(np.mean(counted)) / flops(profile)


def pairs_of_a_run(pairs: float, epochs: int) -> float:
    """Return how many pairs a run trains on, recognising counted as `RECOGNISING`; shares as in ADVANCE's split.

    Args:
        pairs: of the dataset.
        epochs: of the run.
    """
    train, validation, test = (ADVANCE_SPLIT[name] / ADVANCE_PAIRS for name in ("train", "validation", "test"))
    return pairs * (epochs * (train + RECOGNISING * validation) + RECOGNISING * test)


@dataclass(frozen=True)
class Machine:
    """A machine that trains some networks.

    Attributes:
        name: for tables.
        profile: networks, schedule and batch size.
        seconds: of one training process for a pair, image and sound.
        dtype: of the activations.
        at_once: how many times the work of one process all that run side by side do.
        preparing: seconds of one core for a pair.
        cores: that prepare.
        memory: bytes besides `step_memory`: the libraries.
        device_memory: bytes that data may share with the network, or 0 where they stay in their files.
        known: how well its speed is known: ``"measured"`` or ``"assumed"``.
    """

    name: str
    profile: Profile
    seconds: float
    dtype: torch.dtype
    at_once: float
    preparing: float
    cores: int
    memory: float
    device_memory: float
    known: str

    def run_seconds(self, pairs: float) -> float:
        """Return the seconds of one run of image and sound, all epochs, nothing beside it."""
        return pairs_of_a_run(pairs, self.profile.training.epochs) * self.seconds

    def paper_seconds(self, pairs: float) -> float:
        """Return the seconds of all cells and seeds."""
        runs = len(CELLS) * SEEDS * mean_cell(self.profile)
        return runs * self.run_seconds(pairs) / self.at_once

    def preparing_seconds(self, pairs: float) -> float:
        """Return the seconds until the files are arrays."""
        return pairs * self.preparing / self.cores

    def resident(self, pairs: float) -> float:
        """Return the bytes of data in the device's memory, 0 where they do not fit as `feeding.near` wants it."""
        data = pairs * sum(bytes_kept(self.profile).values())
        return data if data < SHARE * self.device_memory else 0

    def run_memory(self, pairs: float) -> float:
        """Return the bytes that one run needs, files that the system keeps in memory not counted."""
        return self.memory + step_memory(self.profile, self.dtype) + self.resident(pairs)

    def how_known(self, pairs: float) -> str:
        """Return ``"computed"`` from measured rates, ``"extrapolated"`` beyond ADVANCE's size, or ``"assumed"``."""
        if self.known == "assumed":
            return "assumed"
        return "computed" if pairs <= ADVANCE_PAIRS else "extrapolated"


def machines(cpu: dict, cuda: dict | None = None, assumed: Assumptions = ASSUMED) -> list[Machine]:
    """Return the machines that the chapter compares.

    Args:
        cpu: record of ``python -m advance_bench`` on a CPU.
        cuda: the same on a GPU with the paper's networks; None where there was none.
        assumed: all that was not measured.
    """
    mini, paper = get_profile(cpu["profile"]), get_profile("paper")
    preparing, cores = cpu["preparing"]["clip"] + cpu["preparing"]["photograph"], cpu["cores"]
    libraries = 1e9 * cpu["machine"]["peak memory GB"] - step_memory(mini, torch.float32)
    on_cpu = {
        "dtype": torch.float32,
        "at_once": _gain(cpu),
        "preparing": preparing,
        "cores": cores,
        "memory": libraries,
        "device_memory": 0,
        "known": "measured",
    }
    name, slow = f"{cores} CPU cores", 1 / cpu["the paper's networks, limit"]["batch of 4"]
    found = [Machine(f"{name}, {mini.name}", mini, 1 / cpu["training"]["epoch"], **on_cpu)]
    found.append(Machine(f"{name}, {paper.name}", paper, slow, **on_cpu))
    on_gpu = {"dtype": torch.bfloat16, "memory": 0, "device_memory": assumed.device_memory}
    if cuda:
        preparing, cores = cuda["preparing"]["clip"] + cuda["preparing"]["photograph"], cuda["cores"]
        on_gpu |= {"at_once": _gain(cuda), "preparing": preparing, "cores": cores, "known": "measured"}
        name, seconds = cuda["environment"]["device"], 1 / cuda["training"]["epoch"]
    else:
        on_gpu |= {"at_once": 1, "preparing": preparing, "cores": assumed.cores, "known": "assumed"}
        name, seconds = "H100 (assumed)", flops(paper) / (assumed.utilisation * assumed.peak)
    return [*found, Machine(f"{name}, {paper.name}", paper, seconds, **on_gpu)]


def _gain(record: dict) -> float:
    """Return how many times the work of one process the best number of them does."""
    rates = record["side by side"]
    return max(rates.values()) / rates["1"]


def estimates(compared: list[Machine], sizes: tuple[int, ...] = SIZES) -> pd.DataFrame:
    """Return hours, disk and memory of every machine and size; index: pairs and machine.

    Args:
        compared: machines.
        sizes: numbers of pairs.
    """
    rows = {}
    for pairs in sizes:
        for machine in compared:
            rows[f"{pairs:,}", machine.name] = {
                "preparing, h": machine.preparing_seconds(pairs) / HOUR,
                "one run, h": machine.run_seconds(pairs) / HOUR,
                f"{len(CELLS) * SEEDS} runs, h": machine.paper_seconds(pairs) / HOUR,
                "disk, GB": pairs * sum(bytes_kept(machine.profile).values()) / 1e9,
                "memory of a run, GB": machine.run_memory(pairs) / 1e9,
                "how known": machine.how_known(pairs),
            }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["pairs", "machine"])


def duration(seconds: float) -> str:
    """Return a duration as one reads it: 40 s, 12 min, 3.5 h, 12 days, 41 years."""
    for unit, name, most in ((1, "s", 90), (60, "min", 90), (HOUR, "h", 48), (DAY, "days", 730)):
        if seconds < most * unit:
            return f"{_digits(seconds / unit)} {name}"
    return f"{_digits(seconds / YEAR)} years"


def _digits(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"


def cells(record: dict) -> pd.DataFrame:
    """Return the seconds of a run of each cell on as many pairs as ADVANCE: from measured rates, and by the model.

    Args:
        record: of ``python -m advance_bench``, not a short one.
    """
    profile = get_profile(record["profile"])
    name = next(name for name in record if name.startswith("seconds a run of "))
    found, epochs = record[name], int(name.split()[4])  # as many as the profile had then
    rate = record["training"]["epoch"] * flops(profile)  # FLOP/s, the same in every cell: so the model has it
    table = pd.DataFrame({"from measured rates, s": found}).rename_axis("cell")
    counted = np.array([flops(profile, cell.split("/")[0]) for cell in table.index])
    table["model, s"] = pairs_of_a_run(ADVANCE_PAIRS, epochs) * counted / rate
    table["ratio"] = table["from measured rates, s"] / table["model, s"]
    return table


def several_devices(machine: Machine, counts: tuple[int, ...], assumed: Assumptions = ASSUMED) -> pd.DataFrame:
    """Return what sharing one run among devices gives, by their number.

    Each computes its equal part of a batch at unchanged utilisation; then all send and receive 2(n−1)/n times the
    gradients (4 bytes a parameter, the ring algorithm), and nothing is computed meanwhile.

    Args:
        machine: one of the devices.
        counts: numbers of devices.
        assumed: bandwidths of the links.
    """
    gradients = 4 * parameters(machine.profile)
    rows = {}
    for count in counts:
        alone = machine.profile.training.batch_size * machine.seconds
        sent = 2 * (count - 1) / count * gradients
        steps = {
            name: alone / count + sent / speed for name, speed in (("node", assumed.link), ("nodes", assumed.network))
        }
        rows[count] = {
            "computing, ms": 1e3 * alone / count,
            "sent, MB": sent / 1e6,
            "step within a node, ms": 1e3 * steps["node"],
            "faster": alone / steps["node"],
            "step between nodes, ms": 1e3 * steps["nodes"],
            "faster between nodes": alone / steps["nodes"],
            "how known": "assumed" if machine.known == "assumed" or count > 1 else "measured",
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("devices")


def checking_seconds(catalogue: pd.DataFrame, pairs: int = 20) -> float:
    """Return the seconds a pair of decoding and hashing both files on one core, as `catalogue` does with new ones.

    Args:
        catalogue: as from `catalogue.read_catalogue`.
        pairs: how many to time.
    """
    some = catalogue.head(pairs)
    began = time.perf_counter()
    for pair in some.itertuples():
        read_image(pair.image), read_clip(pair.sound), file_digest(pair.image), file_digest(pair.sound)
    return (time.perf_counter() - began) / len(some)


def statistics_seconds(profile: Profile, pairs: int = 50) -> float:
    """Return the seconds a pair of `Normaliser.of` on one core, which every process calls for its training split.

    Args:
        profile: side of the photographs.
        pairs: how many to time.
    """
    images = np.zeros((pairs, profile.image_side, profile.image_side, 3), np.uint8)
    log_mels = np.zeros((pairs, 400, 64), np.float16)
    began = time.perf_counter()
    Normaliser.of(images, log_mels, np.arange(pairs))
    return (time.perf_counter() - began) / pairs


def breaking_points(
    machine: Machine, checking: float, statistics: float, assumed: Assumptions = ASSUMED
) -> pd.DataFrame:
    """Return what breaks, at how many pairs, and what to change, the first to break first.

    Seconds break at a limit of our choice: an hour for what every process repeats, a day for what is done once, a week
    for all runs.

    Args:
        machine: one GPU.
        checking: seconds of one core for a pair, from `checking_seconds`.
        statistics: the same from `statistics_seconds`.
        assumed: memory, disk and cores of its node.
    """
    kept, train = sum(bytes_kept(machine.profile).values()), ADVANCE_SPLIT["train"] / ADVANCE_PAIRS
    limits = [
        ("one run takes a day", machine.run_seconds(1), DAY, "fewer epochs; one run on several GPUs"),
        ("all runs take a week", machine.paper_seconds(1), WEEK, "runs are independent: one job each, on a cluster"),
        ("preparing takes a day", machine.preparing_seconds(1), DAY, "parts of the dataset as jobs of the graph"),
        ("checking files takes a day", checking / machine.cores, DAY, "the same; or hashes that come with the files"),
        ("statistics take each process an hour", train * statistics, HOUR, "keep them beside the arrays, or sample"),
        (
            "data leave the device's memory",
            kept,
            SHARE * assumed.device_memory,
            "nothing: they are streamed from files",
        ),
        ("data leave the host's memory", kept, assumed.host_memory, "a fast disk; rows read together lie together"),
        ("miniature and exam joined do not fit", 2 * kept, assumed.host_memory, "two arrays instead of one"),
        ("the arrays outgrow a disk", kept, assumed.disk, "shards: many files, each with some of the pairs"),
    ]
    rows = {
        name: {"pairs": limit / a_pair}
        | {f"at {pairs:,}": _load(pairs * a_pair / limit) for pairs in SIZES[1:]}
        | {"what to change": remedy}
        for name, a_pair, limit, remedy in limits
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("what breaks").sort_values("pairs")


def _load(share: float) -> str:
    return f"breaks: {_digits(share)} times the limit" if share >= 1 else f"holds: {100 * share:.2g} % of the limit"
