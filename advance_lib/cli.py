"""The command ``advance``: the library's steps, from data to tables, one sub-command each."""

import argparse
import os
import re
import sys
import warnings
from pathlib import Path

from advance_lib import __version__
from advance_lib.cache import UserError


def _settings(arguments: argparse.Namespace):
    from advance_lib.data.dataset import split_named
    from advance_lib.experiments.settings import Settings
    from advance_lib.experiments.sources import Sources
    from advance_lib.transfer.presets import get_preset

    return Settings(
        arguments.profile,
        arguments.dataset,
        arguments.seeds,
        arguments.device,
        arguments.skip_broken,
        get_preset(getattr(arguments, "preset", "paper"), getattr(arguments, "field", [])),
        split_named(getattr(arguments, "split", "own")),
        Sources(
            getattr(arguments, "visual", "rendered"),
            getattr(arguments, "audio", "rendered"),
            getattr(arguments, "teacher", None),
        ),
    )


def render(arguments: argparse.Namespace) -> None:
    from dataclasses import replace

    from advance_lib.data.dataset import world_of
    from advance_lib.experiments.profiles import get_profile
    from advance_lib.miniature.world import render_world

    changes = {name: getattr(arguments, name) for name in ("pairs", "side", "seed")}
    world = replace(world_of(get_profile(arguments.profile)), **{k: v for k, v in changes.items() if v is not None})
    print(render_world(world))
    if arguments.exam:
        print(render_world(replace(world, exam=True)))


def check(arguments: argparse.Namespace) -> None:
    from advance_lib.data.catalogue import siblings_per_location
    from advance_lib.data.dataset import open_dataset
    from advance_lib.experiments.profiles import get_profile

    dataset = open_dataset(arguments.dataset, get_profile(arguments.profile), skip_broken=arguments.skip_broken)
    print(siblings_per_location(dataset.catalogue).round(2).to_string())
    print(f"{len(dataset.catalogue)} usable pairs at {dataset.catalogue['location'].nunique()} locations")


def features(arguments: argparse.Namespace) -> None:
    from advance_lib.data.dataset import inputs_of
    from advance_lib.experiments.profiles import get_profile

    profile = get_profile(arguments.profile)
    dataset, inputs = inputs_of(arguments.dataset, profile, skip_broken=arguments.skip_broken)
    print(f"{dataset.title}: photographs {inputs.images.shape}, log-mel spectrograms {inputs.log_mels.shape}")


def pretrain(arguments: argparse.Namespace) -> None:
    from advance_lib.experiments.profiles import get_profile
    from advance_lib.experiments.sources import pretrained_audio, pretrained_visual, render_pretraining_sets

    profile = get_profile(arguments.profile)
    if arguments.what == "sets":
        render_pretraining_sets(profile)
        return
    network = {"visual": pretrained_visual, "audio": pretrained_audio}[arguments.what](profile, arguments.device)
    print(f"{arguments.what}: {len(network.classes)} classes, {network.score:.1f} % on the held-out tenth")


def train(arguments: argparse.Namespace) -> None:
    from advance_lib.training.devices import launch, processes, rank

    if arguments.devices not in (None, 1) and processes() == (1, 1):
        launch(arguments.devices, arguments.device, sys.argv[1:])
        return

    from advance_lib.experiments.cells import cells_of
    from advance_lib.experiments.runs import finished

    settings = _settings(arguments)
    cells = arguments.cell or (cells_of(arguments.table) if arguments.table is not None else [])
    requests = settings.requests(*cells) if cells else settings.requests_of_book()
    for run in finished(requests[_share(arguments.share)], arguments.device, arguments.jobs):
        if rank():
            continue  # the first process tells
        scores = run.metrics["scores"]
        found = ", ".join(f"{split} F {values['fscore']:.1f}" for split, values in scores.items())
        split = f"split by {run.request.split.by} {run.request.split.seed}"
        print(f"{run.request.cell}, seed {run.request.seed}, {split}: {found}  ({run.folder.name})")


def _share(text: str) -> slice:
    """Return which requests are the K-th of N shares, written K/N: every N-th, beginning with the K-th."""
    found = re.fullmatch("([0-9]+)/([0-9]+)", text)
    first, step = map(int, found.groups()) if found else (0, 0)
    if not 1 <= first <= step:
        raise UserError(f"--share {text}: write K/N with K from 1 to N, such as 2/8 for the second of eight shares")
    return slice(first - 1, None, step)


def table(arguments: argparse.Namespace) -> None:
    from advance_lib.analysis.scores import paper_table
    from advance_lib.experiments.cells import cells_of

    settings = _settings(arguments)
    runs = settings.runs(*cells_of(arguments.number))
    found = paper_table(arguments.number, runs, settings.open().title)
    print(found.to_csv() if arguments.csv else found.to_string())


def study(arguments: argparse.Namespace) -> None:
    from dataclasses import astuple

    from advance_lib.analysis.studies import RESULTS, run_study
    from advance_lib.experiments.sources import RENDERED

    settings = _settings(arguments)
    both = zip(astuple(settings.sources), astuple(RENDERED), strict=True)
    others = [source for source, usual in both if source != usual]  # so that no record overwrites another's
    name = "-".join([arguments.name, Path(arguments.dataset).name, *others])
    print(run_study(arguments.name, settings, arguments.record or RESULTS / f"{name}.json"))


def bench(arguments: argparse.Namespace) -> None:
    from advance_lib.analysis.studies import RESULTS, commit
    from advance_lib.bench.speed import bench as measure
    from advance_lib.cache import build_folder, write_json
    from advance_lib.training.devices import accelerator

    found = measure(arguments.profile, arguments.dataset, arguments.device, arguments.short)
    kept = build_folder() if arguments.short else RESULTS
    path = arguments.record or kept / f"bench-{accelerator(arguments.device)}.json"
    write_json(path, {"commit": commit()} | found)
    print(path)


def predict(arguments: argparse.Namespace) -> None:
    from advance_lib.analysis.one_pair import events_heard, open_pair, recognise, write_activation
    from advance_lib.experiments.runs import finished

    for path in filter(None, (arguments.image, arguments.sound, arguments.checkpoint)):
        if not path.is_file():
            raise UserError(f"{path}: no such file")
    checkpoint = arguments.checkpoint
    if checkpoint is None:
        settings = _settings(arguments)
        request = settings.request("image+sound/Ls", settings.seed_list[0])
        checkpoint = finished([request], arguments.device)[0].folder / "model.safetensors"
    pair = open_pair(checkpoint, arguments.image, arguments.sound)
    scenes = recognise(pair)
    _bars("scene", scenes)
    if arguments.events:
        _bars("\nheard by N_a(0)", events_heard(pair, arguments.device).head(arguments.events))
    if arguments.map or "image" in pair.recipe.senses:
        path = arguments.map or Path(f"{arguments.image.stem}-activation.jpg")
        write_activation(pair, scenes.index[0], path)
        print(f"\nwhere the evidence for {scenes.index[0]} lies: {path}")


def _bars(title: str, probabilities) -> None:
    print(title)
    width = max(28, *map(len, probabilities.keys()))
    for name, probability in probabilities.items():
        print(f"  {name:{width}s} {probability:6.1%} {'█' * round(40 * probability)}")


def listen(arguments: argparse.Namespace) -> None:
    if not arguments.sound.is_file():
        raise UserError(f"{arguments.sound}: no such file")
    if arguments.top < 1:
        raise UserError(f"--top {arguments.top}: show one event or more")

    from advance_lib.data.media import read_clip
    from advance_lib.models.weights import weights_file

    weights = arguments.weights or weights_file("mn04")
    clip = read_clip(arguments.sound)

    import torch

    from advance_lib.models.audioset import event_names
    from advance_lib.models.efficientat import load, log_mel

    torch.set_num_threads(1)  # for one clip, threads cost more than they bring
    network = load(weights)
    with torch.inference_mode():
        events = network(log_mel(*clip)[None])[0].sigmoid()[0]
    top = events.topk(min(arguments.top, len(events)))
    names = event_names()
    heard = {names[i]: probability for i, probability in zip(top.indices.tolist(), top.values.tolist(), strict=True)}
    _bars(f"heard in {arguments.sound.name}", heard)


def download(arguments: argparse.Namespace) -> None:
    if arguments.what == "weights":
        from advance_lib.models.weights import fetch_weights

        print(*fetch_weights(arguments.name or ""), sep="\n")
        return
    from advance_lib.data.advance import deviations, fetch_advance

    folder = fetch_advance()
    differing = deviations(folder)
    print(folder, *(differing or ["5,075 pairs of 13 scenes at 2,696 locations, as published"]), sep="\n")


def construct(arguments: argparse.Namespace) -> None:
    from advance_lib.construct.area import parse_area
    from advance_lib.construct.construction import construct as build
    from advance_lib.construct.datasheet import summary
    from advance_lib.construct.plan import plan_for

    names = (
        "imagery", "metres_per_pixel", "side", "seed", "smallest_scene", "shift_below", "freesound", "overpass",
    )  # fmt: skip
    options = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    if arguments.area:
        options["area"] = parse_area(arguments.area)
    if arguments.query:
        options["queries"] = tuple(arguments.query)
    out = build(plan_for(arguments.out, options), arguments.out, step=arguments.step)
    print(summary(out))


def chapter(arguments: argparse.Namespace) -> None:
    from advance_lib.book import execute_chapter

    seeds = arguments.seeds
    parameters = {
        "profile": arguments.profile,
        "dataset": arguments.dataset,
        "seeds": int(seeds) if seeds and seeds.isdigit() else seeds,
        "device": arguments.device,
    }
    for pair in arguments.parameter:
        name, _, value = pair.partition("=")
        parameters[name] = value
    execute_chapter(arguments.notebook, arguments.executed, parameters)


def pages(arguments: argparse.Namespace) -> None:
    from advance_lib.book import build_pages

    print(build_pages(arguments.profile, arguments.dataset))


def calibrate(arguments: argparse.Namespace) -> None:
    from advance_lib.analysis.difficulty import report

    report(arguments.worlds, arguments.difficulties, arguments.odds)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="advance", description="Audiovisual aerial scene recognition, after Hu et al., ECCV 2020."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str,
        run,
        text: str,
        *,
        profile: bool = True,
        dataset: bool = True,
        seeds: bool = False,
        presets: bool = False,
        sources: bool = False,
    ) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        command.set_defaults(run=run)
        if profile:
            command.add_argument(
                "--profile",
                default=os.environ.get("ADVANCE_PROFILE", "mini"),
                help="smoke, mini or paper: size of data, networks and training (default: mini)",
            )
        if dataset:
            command.add_argument(
                "--dataset",
                default=os.environ.get("ADVANCE_DATASET", "miniature"),
                help="miniature, advance, or a folder with vision/ and sound/ (default: miniature)",
            )
            command.add_argument("--skip-broken", action="store_true", help="leave unusable pairs out")
        if presets:
            command.add_argument("--preset", default="paper", help="paper or code: where they differ (default: paper)")
            command.add_argument(
                "--field", action="append", default=[], metavar="NAME=VALUE",
                help="one field of the preset, such as relevance=pca; may be repeated",
            )  # fmt: skip
            command.add_argument(
                "--split", default="own",
                help="location, given (column split of pairs.csv), official (fetches the authors' list), the path of "
                "their av-geotag.npy, or pair (default: given where there is such a column, else location)",
            )  # fmt: skip
        if presets or sources:
            command.add_argument(
                "--visual", default="rendered", help="N_v(0): rendered, official or imagenet (default: rendered)"
            )
            command.add_argument(
                "--audio", default="rendered", help="N_a(0), fine-tuned: rendered, official or mn04 (default: rendered)"
            )
            command.add_argument("--teacher", help="whose knowledge is transferred, where it is not that of --audio")
        if seeds:
            command.add_argument("--seeds", help="how many, or a list such as 0,1,2 (default: the profile's)")
            command.add_argument("--device", default="auto", help="cpu, cuda or auto (default: auto)")
        return command

    command = add("render", render, "render the miniature world and print its folder", dataset=False)
    command.add_argument("--pairs", type=int, help="how many pairs, about (default: the profile's)")
    command.add_argument("--side", type=int, help="side of the photographs in pixels (default: the profile's)")
    command.add_argument("--seed", type=int, help="another world (default: the book's)")
    command.add_argument("--exam", action="store_true", help="render the exam set as well")

    add("check", check, "decode every file of a dataset and count its pairs")
    add("features", features, "compute log-mel spectrograms and resized photographs of a dataset")

    command = add("pretrain", pretrain, "pre-train the backbones on the miniature's own sets", dataset=False)
    command.add_argument("what", choices=("sets", "visual", "audio"), help="render the sets, or train one network")
    command.add_argument("--device", default="auto", help="cpu, cuda or auto (default: auto)")

    command = add(
        "train", train, "train recognisers, or find them finished, and print their scores", seeds=True, presets=True
    )
    command.add_argument("--cell", action="append", help="such as image+sound/Ls; may be repeated")
    command.add_argument("--table", type=int, help="all cells of this table (default: every run that the book shows)")
    command.add_argument("--jobs", type=int, help="runs to train at once (default: as many as cores, one on a GPU)")
    command.add_argument("--devices", type=int, metavar="N", help="share each run among N GPUs, or processes of a CPU")
    command.add_argument(
        "--share", default="1/1", metavar="K/N", help="only every N-th run, beginning with the K-th (default: 1/1)"
    )

    command = add("table", table, "print a table of the paper with mean ± std", seeds=True, presets=True)
    command.add_argument("number", type=int, help="1, 2 or 3")
    command.add_argument("--csv", action="store_true", help="print CSV")

    command = add(
        "study", study, "run a long study and keep its results as a small JSON file", seeds=True, sources=True
    )
    command.add_argument("name", help="tables, presets, weights, inside, hearing or reasons")
    command.add_argument("--record", type=Path, help="file to write (default: results/NAME-DATASET.json)")

    command = add(
        "bench", bench, "measure how fast this machine trains, beside its limits, and keep the figures as JSON"
    )
    command.add_argument("--device", default="auto", help="cpu, cuda or auto (default: auto)")
    command.add_argument("--short", action="store_true", help="for seconds only, to see that it runs")
    command.add_argument(
        "--record", type=Path, help="file to write (default: results/bench-DEVICE.json, the build folder for --short)"
    )

    command = add("predict", predict, "recognise the scene of one photograph and one recording", seeds=True)
    command.add_argument("image", type=Path, help="photograph")
    command.add_argument("sound", type=Path, help="recording of two seconds or more")
    command.add_argument(
        "--checkpoint", type=Path, help="model.safetensors of a run (default: the dataset's first run)"
    )
    command.add_argument("--events", type=int, default=5, help="how many sound events to show (default: 5)")
    command.add_argument(
        "--map", type=Path, help="picture of the evidence to write (default: IMAGE-activation.jpg here)"
    )

    command = add(
        "listen", listen, "name the sound events in the first ten seconds of a recording", profile=False, dataset=False
    )
    command.add_argument("sound", type=Path, help="recording of two seconds or more")
    command.add_argument("--top", type=int, default=5, metavar="N", help="how many events to show (default: 5)")
    command.add_argument("--weights", type=Path, metavar="FILE", help="of mn04 (default: those that were downloaded)")

    command = add(
        "download", download, "fetch ADVANCE, or weights that others have trained", profile=False, dataset=False
    )
    command.add_argument("what", choices=("advance", "weights"), help="what to fetch")
    command.add_argument(
        "name", nargs="?",
        help="of the weights: mn04 (EfficientAT, which names AudioSet's sound events, 4 MB) or official (the authors')",
    )  # fmt: skip

    command = add(
        "construct", construct, "build a dataset like ADVANCE from Freesound, aerial imagery and OpenStreetMap",
        profile=False, dataset=False,
    )  # fmt: skip
    command.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="of the dataset; resumed if begun")
    command.add_argument(
        "--area", metavar="W,S,E,N", help="in degrees, as --area=-3.3,55.8,-3.1,56.0; needed at the first start only"
    )
    command.add_argument("--query", action="append", metavar="WORDS", help="for Freesound; may be repeated")
    command.add_argument(
        "--imagery",
        metavar="NAME",
        help="of xyzservices or a template with {z}, {x}, {y} (default: Esri.WorldImagery)",
    )
    command.add_argument("--metres-per-pixel", type=float, help="of the photographs (default: 0.5)")
    command.add_argument("--side", type=int, help="of the photographs in pixels (default: 512)")
    command.add_argument("--seed", type=int, help="of the clips (default: 0)")
    command.add_argument("--smallest-scene", type=int, help="scenes with fewer pairs are dropped (default: 10)")
    command.add_argument("--shift-below", type=int, help="scenes with fewer get shifted photographs (default: 100)")
    command.add_argument(
        "--step", metavar="NAME",
        help="only recordings, clips, photographs, labels, review, balance or export, even if it is done",
    )  # fmt: skip
    command.add_argument("--freesound", metavar="URL", help="another server (default: https://freesound.org/apiv2)")
    command.add_argument("--overpass", metavar="URL", help="another server (default: that of overpass-api.de)")

    command = add("chapter", chapter, "execute one chapter of the book into a copy", seeds=True)
    command.add_argument("notebook", type=Path, help="source chapter")
    command.add_argument("executed", type=Path, help="where the executed copy goes")
    command.add_argument(
        "--parameter", action="append", default=[], metavar="NAME=VALUE", help="another parameter; may be repeated"
    )

    add("pages", pages, "build the book's pages from executed chapters and print the first one", seeds=True)

    command = add("calibrate", calibrate, "measure the unimodal scores of mini on other worlds", dataset=False)
    command.add_argument("--worlds", type=int, nargs="+", default=[101, 102, 103], help="seeds of the worlds")
    command.add_argument("--difficulties", type=float, nargs="*", default=[], help="of the photographs, to try")
    command.add_argument("--odds", type=float, nargs="*", default=[], help="factors g on the events' odds, to try")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; a problem that the user can mend is one clear message and exit code 2."""
    arguments = _parser().parse_args(argv)
    warnings.showwarning = lambda message, *_, **__: print(f"advance: warning: {message}", file=sys.stderr)
    try:
        arguments.run(arguments)
    except UserError as error:
        print(f"advance: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("advance: interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
