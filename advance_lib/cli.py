"""The command ``advance``: the library's steps, from data to tables, one sub-command each."""

import argparse
import errno
import io
import os
import re
import runpy
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from advance_lib import __version__
from advance_lib.cache import FULL, UserError, build_folder, written_whole
from advance_lib.data.places import dataset_folder, require_split


def _settings(arguments: argparse.Namespace):
    from advance_lib.experiments.settings import CHOICES, asked

    words = {name: value for name, value in vars(arguments).items() if name in CHOICES}
    if vars(arguments).get("seed") is not None:
        words["seeds"] = f"{arguments.seed},"
    return asked(vars(arguments).get("field", ()), **words)


def render(arguments: argparse.Namespace) -> None:
    from advance_lib.experiments.prepared import world_of
    from advance_lib.experiments.profiles import get_profile
    from advance_lib.miniature.world import render_world

    changes = {name: getattr(arguments, name) for name in ("pairs", "side", "seed")}
    world = replace(world_of(get_profile(arguments.profile)), **{k: v for k, v in changes.items() if v is not None})
    print(render_world(world))
    if arguments.exam:
        print(render_world(replace(world, exam=True)))


def check(arguments: argparse.Namespace) -> None:
    from advance_lib.data.catalogue import siblings_per_location, what_is_too_small
    from advance_lib.data.given import other_columns
    from advance_lib.data.splits import only_to_test
    from advance_lib.experiments.prepared import prepared

    settings = _settings(arguments)
    folder = dataset_folder(settings.dataset)
    pairs = only_to_test(folder, settings.skip_broken) if folder else None
    if pairs is not None:
        print(siblings_per_location(pairs).round(2).to_string())
        print(f"{len(pairs)} usable pairs at {pairs['location'].nunique()} locations, none of them to train on: test "
              "finished runs on them with `advance table N --evaluate FOLDER`")  # fmt: skip
        return
    data = prepared(settings).data
    pairs = data.catalogue
    print(siblings_per_location(pairs).round(2).to_string())
    print(f"{len(pairs)} usable pairs at {pairs['location'].nunique()} locations")
    print("; ".join(f"{name}: {count} pairs" for name, count in pairs["split"].value_counts().items()))
    if carried := other_columns(data.folder):
        print(f"pairs.csv: not used here: {', '.join(carried)}")
    for said in what_is_too_small(pairs):
        print(said)


def import_(arguments: argparse.Namespace) -> None:
    from advance_lib.data.importing import import_dataset

    count = import_dataset(arguments.source, arguments.folder, bool(arguments.skip_broken))
    print(f"{arguments.folder}: {count} pairs")
    check(argparse.Namespace(dataset=str(arguments.folder), skip_broken=arguments.skip_broken))


def parquet(arguments: argparse.Namespace) -> None:
    from advance_lib.data.given import given_columns
    from advance_lib.data.parquet import write_parquet
    from advance_lib.data.splits import only_to_test
    from advance_lib.experiments.prepared import prepared

    if arguments.file.exists():
        raise UserError(f"{arguments.file}: is there already; give another name, or remove it")
    settings = _settings(arguments)
    folder = dataset_folder(settings.dataset)
    pairs = only_to_test(folder, settings.skip_broken) if folder else None
    if pairs is None:
        pairs = prepared(settings).data.pairs
    if folder:
        more = given_columns(folder, pairs)
        pairs = pairs.join(more[[name for name in more if name not in pairs]])
    write_parquet(pairs, arguments.file)
    print(f"{arguments.file}: {len(pairs)} pairs, {arguments.file.stat().st_size / 1e6:,.1f} MB")


def step(arguments: argparse.Namespace) -> None:
    """What the graph from data to book asks for, ahead of the runs."""
    from advance_lib.experiments.prepared import prepared, render_pretraining_sets, world_of
    from advance_lib.miniature.world import render_world

    settings = _settings(arguments)
    if arguments.name == "sets":
        render_pretraining_sets(settings.sizes)
        if settings.dataset == "miniature":
            render_world(world_of(settings.sizes))
            render_world(world_of(settings.sizes, exam=True))
        return
    shared = prepared(settings)
    if arguments.name == "features":
        inputs = shared.inputs
        print(f"{shared.data.title}: photographs {inputs.images.shape}, sounds {inputs.log_mels.shape}")
    else:
        network = getattr(shared, arguments.name)
        print(f"{arguments.name}: {len(network.classes)} classes, {network.score:.1f} % on what was held out")


def train(arguments: argparse.Namespace) -> None:
    from advance_lib.training.devices import launch, processes, rank

    if arguments.devices not in (None, 1) and processes() == (1, 1):
        launch(arguments.devices, arguments.device or "auto", sys.argv[1:])
        return
    if arguments.own:
        if not arguments.own.is_file():
            raise UserError(f"{arguments.own}: no such file; --own takes a Python file that registers what is yours")
        runpy.run_path(str(arguments.own), run_name="__main__")

    from advance_lib.experiments.cells import cells_of
    from advance_lib.experiments.runs import finished, requests_for, requests_of_book
    from advance_lib.experiments.settings import split_in_words

    settings = _settings(arguments)
    cells = arguments.cell or (cells_of(arguments.table) if arguments.table is not None else [])
    weights = {name: value for name in ("alpha", "beta") if (value := getattr(arguments, name)) is not None}
    if weights and not cells:
        raise UserError("--alpha and --beta go with --cell or --table: the book's own runs have the paper's weights")
    requests = requests_for(settings, *cells, **weights) if cells else requests_of_book(settings)
    with _answers(arguments.answers, settings):
        runs = finished(requests[_share(arguments.share)], arguments.jobs)
    if rank():
        return  # the first process tells
    for run in runs:
        found = ", ".join(f"{name} F {values['fscore']:.1f}" for name, values in run.metrics["scores"].items())
        split = split_in_words(run.request.settings.split)
        print(f"{run.cell}, seed {run.seed}, split: {split}; {found}  ({run.folder.name})")


@contextmanager
def _answers(folder: Path | None, settings) -> Iterator[None]:
    """Take runs from kept answers, and keep those of new ones, also when it is interrupted."""
    if folder is None:
        yield
        return
    from advance_lib.experiments.answers import keep, made, restore

    restore(folder)
    try:
        yield
    finally:
        keep(made(settings), folder)


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
    from advance_lib.experiments.prepared import prepared
    from advance_lib.experiments.runs import runs_for

    settings, cells = _settings(arguments), cells_of(arguments.number)
    if arguments.evaluate:
        from advance_lib.analysis.elsewhere import scores_elsewhere
        from advance_lib.analysis.scores import beside_the_paper, over_seeds
        from advance_lib.analysis.words import counted
        from advance_lib.data.catalogue import read_catalogue

        name = arguments.evaluate.name
        pairs = read_catalogue(arguments.evaluate, settings.skip_broken)  # refused before anything is trained
        runs = runs_for(settings, *cells)
        title = f"{prepared(settings).data.title}, tested on {name}, {counted(len(settings.seeds), 'seed')}"
        tested = over_seeds(scores_elsewhere(runs, pairs, name), name)
        found = beside_the_paper(arguments.number, {title: tested})
    else:
        found = paper_table(arguments.number, runs_for(settings, *cells), prepared(settings).data.title)
    print(found.to_csv() if arguments.csv else found.to_string())


def study(arguments: argparse.Namespace) -> None:
    from advance_lib.analysis.records import RESULTS
    from advance_lib.analysis.studies import run_study
    from advance_lib.experiments.settings import Settings

    settings = _settings(arguments)
    default = Settings()  # what differs from it is part of the name, so that no record overwrites another's
    others = [word for word, usual in zip(_words(settings), _words(default), strict=True) if word != usual]
    whose = dict.fromkeys(("worlds", "difficulties", "odds"), "difficulty")
    whose |= {"numbers": "tables", "alphas": "alpha_beta", "transfers": "after"}
    options = {name: value for name in whose if (value := getattr(arguments, name))}
    for name in options:
        if whose[name] != arguments.name:
            raise UserError(f"--{name} is for the study '{whose[name]}' only")
    others += ["tried"] if options else []
    name = "-".join([arguments.name, Path(settings.dataset).name, *others])
    with _answers(arguments.answers, settings):
        path = run_study(arguments.name, settings, arguments.record or RESULTS / f"{name}.json", **options)
    print(path)


def _words(settings) -> list[str]:
    split = settings.split.by + (str(settings.split.seed) if settings.split.seed else "")
    return [*map(str, asdict(settings.sources).values()), split, *map(str, asdict(settings.preset).values())]


def export(arguments: argparse.Namespace) -> None:
    from advance_lib.analysis.handed_on import export as hand_on

    hand_on(arguments.run_name, arguments.folder, arguments.onnx)
    print(*sorted(arguments.folder.iterdir()), sep="\n")


def predict(arguments: argparse.Namespace) -> None:
    from advance_lib.transfer.recipe import CHECKPOINT

    given = arguments.checkpoint or []
    checkpoints = [path / CHECKPOINT if path.is_dir() else path for path in given]
    for path in filter(None, (arguments.sound and arguments.image, arguments.sound, *checkpoints)):
        if not path.is_file():
            raise UserError(f"{path}: no such file")
        if arguments.map and arguments.map.exists() and arguments.map.samefile(path):
            raise UserError(f"--map {arguments.map}: this file is read here; give the map another name")
    if arguments.map and not arguments.sound:
        raise UserError(f"--map {arguments.map}: the map of one photograph; give it with its recording")
    if arguments.events < 0:
        raise UserError(f"--events {arguments.events}: show no event, or some")
    if arguments.sound and len(given) > 1:
        raise UserError(f"--checkpoint {given[1]}: one network recognises a pair; give one, or a folder of pairs")
    _refuse_existing("--map", arguments.map, arguments.replace)
    _refuse_table(arguments.to, arguments.sound is None, arguments.replace)

    from advance_lib.analysis.one_pair import events_heard, open_pair, recognise, write_activation
    from advance_lib.experiments.runs import runs_for

    settings = _settings(arguments)
    if arguments.sound is None:
        _predict_many(arguments, settings, checkpoints)
        return
    if checkpoints:
        (checkpoint,) = checkpoints
    else:
        checkpoint = runs_for(replace(settings, seeds=settings.seeds[:1]), "image+sound/Ls")[0].checkpoint
    pair = open_pair(checkpoint, arguments.image, arguments.sound)
    scenes = recognise(pair)
    _bars("scene", scenes)
    if arguments.events:
        _bars("\nheard by N_a(0)", events_heard(pair, settings.device).head(arguments.events))
    if arguments.map:
        write_activation(pair, scenes.index[0], arguments.map)
        print(f"\nwhere the evidence for {scenes.index[0]} lies: {arguments.map}")


def _predict_many(arguments: argparse.Namespace, settings, checkpoints: list[Path]) -> None:
    from functools import cache

    from advance_lib.analysis.many_pairs import pairs_in, recognise_all
    from advance_lib.analysis.one_pair import open_recogniser
    from advance_lib.experiments.runs import runs_for

    opened = [open_recogniser(path) for path in checkpoints]
    given = {recogniser.recipe.senses: recogniser for recogniser in opened}

    @cache
    def of(senses: str):
        if given:
            return given.get(senses)
        return open_recogniser(runs_for(replace(settings, seeds=settings.seeds[:1]), f"{senses}/Ls")[0].checkpoint)

    _write_table(recognise_all(pairs_in(arguments.image), of, arguments.events, settings.device), arguments.to)


def _refuse_existing(option: str, path: Path | None, replaced: bool) -> None:
    if path and path.exists() and not replaced:
        raise UserError(f"{option} {path}: is there already; give another name, or add --replace")


def _refuse_table(path: Path | None, many: bool, replaced: bool) -> None:
    if path and not many:
        raise UserError(f"--to {path}: a table of many; of one, the answer is printed")
    if path and path.suffix.lower() not in (".csv", ".parquet"):
        raise UserError(f"--to {path}: no known format of tables; name it .csv or .parquet")
    _refuse_existing("--to", path, replaced)


def _write_table(table, path: Path | None) -> None:
    """Print a table as CSV, or write it into a file whose suffix says whether that is CSV or parquet."""
    if path is None:
        print(table.to_csv(index=False), end="")
        return
    with written_whole(path) as partial:
        if path.suffix.lower() == ".parquet":
            table.to_parquet(partial, index=False)
        else:
            table.to_csv(partial, index=False)
    print(f"{path}: {len(table)} rows")


def _bars(title: str, probabilities) -> None:
    print(title)
    width, mark = max(28, *map(len, probabilities.keys())), _mark()
    for name, probability in probabilities.items():
        print(f"  {name:{width}s} {probability:6.1%} {mark * round(40 * probability)}")


def _mark() -> str:
    """Return what bars are made of, in the encoding of the output."""
    try:
        "█".encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return "#"
    return "█"


def listen(arguments: argparse.Namespace) -> None:
    many = arguments.sound.is_dir()
    if not many and not arguments.sound.is_file():
        raise UserError(f"{arguments.sound}: no such file")
    if arguments.top < 1:
        raise UserError(f"--top {arguments.top}: show one event or more")
    _refuse_table(arguments.to, many, arguments.replace)

    from advance_lib.data.media import read_clip
    from advance_lib.models.weights import weights_file

    weights = arguments.weights or weights_file("mn04")
    clip = None if many else read_clip(arguments.sound)

    import torch

    from advance_lib.models.audioset import event_names
    from advance_lib.models.efficientat import load, log_mel

    torch.set_num_threads(1)  # for one clip, threads cost more than they bring
    network, names = load(weights), event_names()

    def heard(samples, rate: int) -> dict[str, float]:
        with torch.inference_mode():
            events = network(log_mel(samples, rate)[None])[0].sigmoid()[0]
        top = events.topk(min(arguments.top, len(events)))
        return {names[i]: y for i, y in zip(top.indices.tolist(), top.values.tolist(), strict=True)}

    if many:
        from advance_lib.analysis.many_pairs import hear_all

        _write_table(hear_all(arguments.sound, heard), arguments.to)
    else:
        _bars(f"heard in {arguments.sound.name}", heard(*clip))


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
    from advance_lib.construct.export import summary
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


# ---------------------------------------------------------------------------------------------------------- options


def _of_data() -> argparse.ArgumentParser:
    """Which data, and how large everything is."""
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--profile", help="smoke, mini or paper: size of data, networks, training (default: mini)")
    options.add_argument(
        "--dataset", help="miniature, advance, or a folder with vision/ and sound/ (default: miniature)"
    )
    options.add_argument(
        "--split", help="location, given (column split of pairs.csv), official (the authors', of ADVANCE), pair, or "
        "grid=DEGREES (whole cells of a grid; default: given where there is such a column, else location)",
    )  # fmt: skip
    options.add_argument("--skip-broken", action="store_true", default=None, help="leave unusable pairs out")
    return options


def _of_networks() -> argparse.ArgumentParser:
    """Paper or code, and which pre-trained networks."""
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--preset", help="paper or code: where they differ (default: paper)")
    options.add_argument(
        "--field", action="append", default=[], metavar="NAME=VALUE",
        help="one field of the preset, such as relevance=pca; may be repeated",
    )  # fmt: skip
    options.add_argument(
        "--visual", help="N_v(0): rendered, official, imagenet or FILE.py:FUNCTION (default: rendered)"
    )
    options.add_argument(
        "--audio", help="N_a(0), fine-tuned: rendered, official, mn04 or FILE.py:FUNCTION (default: rendered)"
    )
    options.add_argument("--teacher", help="whose knowledge is transferred, where it is not that of --audio")
    return options


def _of_runs() -> argparse.ArgumentParser:
    """Seeds and device."""
    options = argparse.ArgumentParser(add_help=False)
    seeds = options.add_mutually_exclusive_group()
    seeds.add_argument("--seeds", help="how many, or a list such as 0,1,2 (default: the profile's)")
    seeds.add_argument("--seed", type=int, metavar="N", help="one seed alone")
    options.add_argument("--device", help="cpu, cuda or auto (default: auto)")
    return options


def _of_answers() -> argparse.ArgumentParser:
    """What runs have answered, on other machines too."""
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument(
        "--answers", type=Path, metavar="FOLDER", help="take runs from the answers kept there, and keep new ones"
    )
    return options


def _add_training(commands, parents: list[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "train", parents=parents, help="train recognisers, or find them finished, and print their scores"
    )
    command.set_defaults(run=train)
    command.add_argument("--cell", action="append", help="such as image+sound/Ls; may be repeated")
    command.add_argument("--table", type=int, help="all cells of this table (default: every run that the book shows)")
    command.add_argument("--alpha", type=float, help="weight of the transfer (default: the paper's 0.1)")
    command.add_argument("--beta", type=float, help="weight of L_E2 within L_E (default: the paper's 0.001)")
    command.add_argument(
        "--own", type=Path, metavar="FILE.py", help="run first: it registers transfers, backbones or profiles of yours"
    )
    command.add_argument("--jobs", type=int, help="runs to train at once (default: as many as cores, one on a GPU)")
    command.add_argument("--devices", type=int, metavar="N", help="share each run among N GPUs, or processes of a CPU")
    command.add_argument(
        "--share", default="1/1", metavar="K/N", help="only every N-th run, beginning with the K-th (default: 1/1)"
    )


def _add_results(commands, parents: list[argparse.ArgumentParser], answers: argparse.ArgumentParser) -> None:
    command = commands.add_parser("table", parents=parents, help="print a table of the paper with mean ± std")
    command.set_defaults(run=table)
    command.add_argument("number", type=int, help="1, 2 or 3")
    command.add_argument("--csv", action="store_true", help="print CSV")
    command.add_argument(
        "--evaluate",
        type=Path,
        metavar="FOLDER",
        help="test the runs on all pairs of another folder, trained on or not",
    )

    command = commands.add_parser(
        "study", parents=[*parents, answers], help="run a long study and keep its results as a small JSON file"
    )
    command.set_defaults(run=study)
    command.add_argument(
        "name",
        help="tables, presets, alpha_beta, baselines, inside, after, hearing, reasons, difficulty, schedules, "
        "arithmetics or rules",
    )
    command.add_argument("--record", type=Path, help="file to write (default: results/NAME-DATASET….json)")
    command.add_argument("--numbers", type=int, nargs="+", metavar="N", help="tables: which (default: all three)")
    command.add_argument("--alphas", type=float, nargs="+", metavar="α", help="alpha_beta: those to begin with")
    command.add_argument("--transfers", nargs="+", metavar="TRANSFER", help="after: the only ones to ask, as SQ|Na")
    command.add_argument("--worlds", type=int, nargs="+", metavar="SEED", help="difficulty: seeds of the worlds")
    command.add_argument("--difficulties", type=float, nargs="+", metavar="D", help="difficulty: of photos, to try")
    command.add_argument("--odds", type=float, nargs="+", metavar="G", help="difficulty: factors g on odds, to try")

    command = commands.add_parser(
        "predict", parents=parents, help="recognise the scene of a photograph and a recording, or of a folder of them"
    )
    command.set_defaults(run=predict)
    command.add_argument("image", type=Path, help="photograph, folder of pairs, or CSV file with columns image, sound")
    command.add_argument("sound", type=Path, nargs="?", help="recording of two seconds or more, of one photograph")
    command.add_argument(
        "--checkpoint", type=Path, action="append",
        help="model.safetensors of a run, or the folder that holds it (default: the dataset's first run); may be "
        "repeated for a folder of pairs, where each answers for the pairs that have its senses",
    )  # fmt: skip
    command.add_argument(
        "--to", type=Path, metavar="FILE", help="of a folder: .csv or .parquet to write (default: CSV)"
    )
    command.add_argument("--events", type=int, default=5, help="how many sound events to show (default: 5)")
    command.add_argument(
        "--map", type=Path, metavar="FILE", help="picture of where the evidence lies, to write (default: none)"
    )
    command.add_argument("--replace", action="store_true", help="let --map or --to replace a file that is there")

    command = commands.add_parser(
        "export", help="hand a run on: one folder with checkpoint, model card, and a file that needs only PyTorch"
    )
    command.set_defaults(run=export)
    command.add_argument("run_name", metavar="RUN", help="its folder, or the name that `advance train` prints")
    command.add_argument("folder", type=Path, metavar="FOLDER", help="to make")
    command.add_argument("--onnx", action="store_true", help="write the network as ONNX, too")

    command = commands.add_parser("listen", help="name the sound events in the first ten seconds of recordings")
    command.set_defaults(run=listen)
    command.add_argument("sound", type=Path, help="recording of two seconds or more, or a folder of them")
    command.add_argument("--top", type=int, default=5, metavar="N", help="how many events to show (default: 5)")
    command.add_argument("--weights", type=Path, metavar="FILE", help="of mn04 (default: those that were downloaded)")
    command.add_argument(
        "--to", type=Path, metavar="FILE", help="of a folder: .csv or .parquet to write (default: CSV)"
    )
    command.add_argument("--replace", action="store_true", help="let --to replace a file that is there")


def _add_data(commands, data: argparse.ArgumentParser) -> None:
    command = commands.add_parser("check", parents=[data], help="decode every file of a dataset and count its pairs")
    command.set_defaults(run=check)

    command = commands.add_parser(
        "import", help="lay out what you have: parquet files of Hugging Face, a CSV file of paths, or folders"
    )
    command.set_defaults(run=import_)
    command.add_argument(
        "source", type=Path, help="parquet file, folder of parquet files, CSV file, or folder with vision/ and sound/"
    )
    command.add_argument("folder", type=Path, help="of the dataset, to make")
    command.add_argument("--skip-broken", action="store_true", default=None, help="leave unusable pairs out")

    command = commands.add_parser(
        "parquet", parents=[data], help="write a dataset into one parquet file, as Hugging Face's `datasets` reads it"
    )
    command.set_defaults(run=parquet)
    command.add_argument("file", type=Path, help="to write")

    command = commands.add_parser("download", help="fetch ADVANCE, or weights that others have trained")
    command.set_defaults(run=download)
    command.add_argument("what", choices=("advance", "weights"), help="what to fetch")
    command.add_argument(
        "name", nargs="?",
        help="of the weights: mn04 (EfficientAT, which names AudioSet's sound events, 4 MB) or official (the authors')",
    )  # fmt: skip

    command = commands.add_parser("render", help="render the miniature world and print its folder")
    command.set_defaults(run=render)
    command.add_argument("--profile", default="mini", help="smoke, mini or paper (default: mini)")
    command.add_argument("--pairs", type=int, help="how many pairs, about (default: the profile's)")
    command.add_argument("--side", type=int, help="side of the photographs in pixels (default: the profile's)")
    command.add_argument("--seed", type=int, help="another world (default: the book's)")
    command.add_argument("--exam", action="store_true", help="render the exam set as well")


def _add_construction(commands) -> None:
    command = commands.add_parser(
        "construct", help="build a dataset like ADVANCE from Freesound, aerial imagery and OpenStreetMap"
    )
    command.set_defaults(run=construct)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="advance", description="Audiovisual aerial scene recognition, after Hu et al., ECCV 2020."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    data, networks, runs, answers = _of_data(), _of_networks(), _of_runs(), _of_answers()
    _add_data(commands, data)
    _add_training(commands, [data, networks, runs, answers])
    _add_results(commands, [data, networks, runs], answers)
    _add_construction(commands)
    command = commands.add_parser("step", parents=[data, networks, runs])  # the graph's own, out of the help
    command.set_defaults(run=step)
    command.add_argument("name", choices=("sets", "features", "visual", "audio"), help="what to make")
    return parser


OUT_OF_MEMORY = ("out of memory", "allocate memory", "failed to map segment from shared object")


def _in_one_line(error: Exception) -> str | None:
    """Return what the user can mend about an error of system or memory; None for a fault of the program."""
    if isinstance(error, UnicodeEncodeError):
        return f"{error.object!a} cannot be written in {error.encoding}; set PYTHONUTF8=1"
    short = isinstance(error, MemoryError) or any(text in str(error).lower() for text in OUT_OF_MEMORY)
    if short or isinstance(error, BrokenExecutor):
        what = "out of memory" if short else "a process was killed, probably for want of memory"
        return f"{what}; end other programs, train with --jobs 1, or take a smaller --profile"
    if isinstance(error, BrokenPipeError):
        return "whoever read the output reads no more; stopped there"
    if not isinstance(error, OSError):
        return None
    path = error.filename2 or error.filename
    where = f"{os.fsdecode(path)}: " if isinstance(path, str | bytes | os.PathLike) else ""
    if error.errno in FULL:
        return f"{where}the disk is full; make room and run the same command again"
    remedy = ""
    if where and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        ours = Path(os.fsdecode(path)).absolute().is_relative_to(build_folder())
        remedy = "; let ADVANCE_BUILD name a folder that may be written" if ours else "; give another place"
    return f"{where}{error.strerror or error}{remedy}"


def _end_output() -> None:
    """Write out what was printed; where that fails, Python is not to try it again, and complain, at its end."""
    try:
        print(end="", flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(argv: list[str] | None = None) -> int:
    """Run the command line; a problem that the user can mend is one clear message and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")  # an answer in another alphabet is better than none
    arguments = _parser().parse_args(argv)
    warnings.showwarning = lambda message, *_, **__: print(f"advance: warning: {message}", file=sys.stderr)
    try:
        if "dataset" in arguments:  # what is not there is refused before PyTorch is loaded
            dataset = arguments.dataset or os.environ.get("ADVANCE_DATASET") or "miniature"
            dataset_folder(dataset)
            require_split(dataset, arguments.split or os.environ.get("ADVANCE_SPLIT") or "own")
        arguments.run(arguments)
        print(end="", flush=True)
    except UserError as error:
        _end_output()
        print(f"advance: {error}", file=sys.stderr)
        return 2
    except Exception as error:
        if (message := _in_one_line(error)) is None:
            raise
        _end_output()
        print(f"advance: {message}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("advance: interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
