"""Longer computations whose results are kept as small JSON files under ``results/``: the book's reference runs.

Chapters: The claims; What the paper says, what its code does; Choosing α and β; After the paper; The miniature.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from advance_lib.analysis.activation import localisation
from advance_lib.analysis.baselines import REMEDIES, late_fusion, linear_probe
from advance_lib.analysis.calibration import arithmetics, difficulty, schedules
from advance_lib.analysis.claims import (
    BOTH,
    LOOKED_UP,
    class_gains,
    compare,
    compare_means,
    confusions,
    judged,
    reliability_errors,
)
from advance_lib.analysis.error_rates import EXPERIMENTS, error_rates
from advance_lib.analysis.events import (
    SHOWN,
    agreement,
    compound_of,
    distances,
    event_distribution,
    mixed_events,
    nearest_posterior,
    recall_of_mixed,
    separations,
)
from advance_lib.analysis.probes import of_approaches, on_random_splits, probe_scores, probed
from advance_lib.analysis.records import as_rows, commit, record
from advance_lib.analysis.retrieval import WAYS, alikeness, retrievals
from advance_lib.analysis.robustness import guesses, robustness
from advance_lib.analysis.scores import over_epochs, scores, splits_of
from advance_lib.analysis.senses import scores_of_parts
from advance_lib.analysis.statistics import estimates, holm, resampled_f
from advance_lib.cache import UserError, code_digest, cores, write_json
from advance_lib.data.published import advance_posteriors
from advance_lib.experiments.cells import ALPHA, BETA, CELLS, PAPER_TRANSFERS, cells_of
from advance_lib.experiments.prepared import prepared
from advance_lib.experiments.runs import Request, Run, in_groups, requests_for, runs_for
from advance_lib.experiments.settings import Settings, Sources
from advance_lib.transfer.presets import CODE, PAPER, Preset, choices

# What each field of the preset acts on, measured on the approach that shows it.
STUDIED: dict[str, tuple[str, ...]] = {
    "event_reduction": (f"{BOTH}E", f"{BOTH}KL|Nv+a"),
    "sq_reduction": (f"{BOTH}SQ|Nv+a",),
    "sq_target": (f"{BOTH}SQ|Nv+a",),
    "relevance": (f"{BOTH}E",),
    "posteriors": (f"{BOTH}E",),
    "n_fft": (f"{BOTH}E", "sound/Ls"),
    "spectrum": (f"{BOTH}E", "sound/Ls"),
    "top_db": (f"{BOTH}E", "sound/Ls"),
    "augmented": (f"{BOTH}E",),
    "image_scale": (f"{BOTH}E",),
    "order": (f"{BOTH}E",),
    "event_head": (f"{BOTH}SQ|Na", f"{BOTH}KL|Na"),
    "tested": (f"{BOTH}E",),
    "learning_rate": (f"{BOTH}E",),
}
ALL_FIELDS = "all fields"

# The approaches that see, in the order of the chapters that look inside.
LOOKED_INTO = ("image/Ls", f"{BOTH}Ls", *(f"{BOTH}{transfer}" for transfer in PAPER_TRANSFERS))

ALPHAS = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
BETAS = (0.0, 0.001, 0.1, 10.0)
ALPHAS_WITH_BETAS = (0.01, 0.1, 1.0)
SEARCH_SEEDS = 2
SEARCHED = (*PAPER_TRANSFERS, "unimodal")


def tables(settings: Settings, numbers: Sequence[int] = (1, 2, 3)) -> dict:
    """Train the cells of the paper's tables and return scores, claims, calibration, gains by scene and the look-up.

    Args:
        settings: data, profile, seeds and device.
        numbers: of the tables; claims about cells of others are left out.
    """
    asked = {cell for number in numbers for cell in cells_of(number)}
    cells = [cell for cell in CELLS if cell in asked]
    runs = runs_for(settings, *cells)
    scenes = runs[0].config["scenes"]
    claims, calibration, gains, looked_up = {}, {}, {}, {}
    for split in splits_of(runs):
        claims[split] = as_rows(judged(runs, split))
        calibration[split] = reliability_errors(runs, split).round(3).to_dict()
        if 1 in numbers:
            gains[split] = {
                transfer: class_gains(runs, f"{BOTH}Ls", f"{BOTH}{transfer}", split, scenes).round(2).to_dict()
                for transfer in PAPER_TRANSFERS
            }
        if 3 in numbers:
            pair, nearest = (LOOKED_UP, f"{BOTH}only E1"), nearest_posterior(runs[0], split)
            looked_up[split] = as_rows(compare(runs, [pair], split, looked_up=nearest))[0]
    return record(
        f"Table{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}",
        settings,
        runs,
        scores=as_rows(scores(runs)),
        claims=claims,
        calibration=calibration,
        gains=gains,
        looked_up=looked_up,
    )


def rules(_: Settings) -> dict:
    """Simulate how often rules of decision are wrong, and how often they find what is there; nothing is trained."""
    return {
        "what": "Simulated experiments",
        "commit": commit(),
        "code_key": code_digest("advance_lib.analysis.error_rates"),
        "rows": as_rows(error_rates(EXPERIMENTS)),
    }


def presets(settings: Settings) -> dict:
    """Switch each field of the preset from the paper's to the code's, alone, and measure the F-score; then all."""
    variants: dict[str, tuple[Preset, tuple[str, ...]]] = {
        field: (replace(PAPER, **{field: choices()[field][1]}), cells) for field, cells in STUDIED.items()
    }
    variants[ALL_FIELDS] = (CODE, (f"{BOTH}Ls", f"{BOTH}E"))
    groups = {("", cell): requests_for(settings, cell) for _, cells in variants.values() for cell in cells}
    for field, (preset, cells) in variants.items():
        groups |= {(field, cell): requests_for(replace(settings, preset=preset), cell) for cell in cells}
    finished_runs = in_groups(groups)
    every = [run for runs in finished_runs.values() for run in runs]
    changed = [(field, cell) for field, cell in finished_runs if field]
    effects = []
    for split in splits_of(every):
        counts = {name: confusions(runs, split) for name, runs in finished_runs.items()}
        found = estimates(
            [resampled_f(counts[name]) - resampled_f(counts["", name[1]]) for name in changed],
            next(iter(counts.values())).shape[1],
        )
        for (field, cell), estimate in zip(changed, found, strict=True):
            runs = finished_runs[field, cell]
            base, other = ([run.fscore(split) for run in some] for some in (finished_runs["", cell], runs))
            # What is reported may be a mean over epochs; the interval is that of the best epoch's predictions, which
            # says nothing where they are the same.
            shift = np.mean(other) - np.mean(base) - estimate.difference
            if np.array_equal(counts[field, cell], counts["", cell]):
                shift = np.nan
            effects.append(
                {
                    "field": field,
                    "cell": cell,
                    "split": split,
                    "paper": np.mean(base),
                    "code": np.mean(other),
                    "difference": np.mean(other) - np.mean(base),
                    "low": estimate.low + shift,
                    "high": estimate.high + shift,
                    "p": estimate.p if np.isfinite(shift) else np.nan,
                    "over_seeds": np.std(other, ddof=1) if len(other) > 1 else np.nan,
                    "over_epochs": np.mean([over_epochs(run, split) for run in runs]),
                }
            )
    what = "One field of the preset at a time from the paper's choice to the code's, and all of them"
    table = pd.DataFrame(effects)
    table["p_holm"] = table.groupby("split")["p"].transform(lambda p: holm(p.to_numpy()))
    return record(what, settings, every, effects=as_rows(table))


def _of_grid(transfer: str, alpha: float, beta: float, run: Run) -> dict:
    found = {"transfer": transfer, "alpha": alpha, "beta": beta, "seed": run.seed}
    return found | {"validation": run.fscore("validation")}


def _beyond(scores: pd.Series) -> list[float]:
    """Return the next of `ALPHAS` outside a grid, where the best score lies at its end; none where it lies inside."""
    best, tried = scores.idxmax(), scores.index
    above = [alpha for alpha in ALPHAS if alpha > tried.max()][:1] if best == tried.max() else []
    below = [alpha for alpha in ALPHAS if alpha < tried.min()][-1:] if best == tried.min() else []
    return above + below


def alpha_beta(settings: Settings, alphas: Sequence[float] = ()) -> dict:
    """Search α, and β for L_E, on the validation split; then compare each transfer at its chosen α with all seeds.

    Two seeds take part in the search. Beside the chosen α stands the paper's α = 0.1 as its formulas read, with a sum
    over the events, and as its code does, with their mean. Our own `remedies.unimodal` gets the same search.

    Args:
        settings: data, profile, seeds and device.
        alphas: those to try, with the paper's transfers and β as it is, and no mean, for data on which a run takes
            minutes; a transfer that is best at an end of its grid gets the next of `ALPHAS` as well. Without it,
            `ALPHAS` and all of the above.

    Returns:
        A record: ``grid``, the validation F-score of each run of the search; ``chosen``, transfer to α; ``readings``,
        by name and split, what `claims.compare` says of each transfer against L_s; ``claims``, those of Table 1 judged
        with the chosen α.
    """
    both, searched = f"{BOTH}Ls", replace(settings, seeds=settings.seeds[:SEARCH_SEEDS])
    transfers = PAPER_TRANSFERS if alphas else SEARCHED
    asked: list[tuple[str, float, float]] = []
    for transfer in transfers:
        for alpha in alphas or ALPHAS:
            with_betas = transfer == "E" and alpha in ALPHAS_WITH_BETAS and not alphas
            asked += [(transfer, alpha, beta) for beta in (BETAS if with_betas else (BETA,))]
    rows = [_of_grid("none", 0.0, 0.0, run) for run in runs_for(searched, both)]
    while asked:
        groups: dict[object, list[Request]] = {
            (transfer, alpha, beta): requests_for(searched, f"{BOTH}{transfer}", alpha=alpha, beta=beta)
            for transfer, alpha, beta in asked
        }
        rows += [_of_grid(*weights, run) for weights, runs in in_groups(groups).items() for run in runs]
        grid = pd.DataFrame(rows)
        means = grid[grid["beta"] == BETA].groupby(["transfer", "alpha"], sort=False)["validation"].mean()
        chosen = {transfer: float(means[transfer].idxmax()) for transfer in transfers}
        asked = [(transfer, alpha, BETA) for transfer in transfers for alpha in _beyond(means[transfer])]

    averaged = replace(settings, preset=replace(settings.preset, sq_reduction="mean", event_reduction="mean"))
    ways = {"the paper's α, sum over events": (settings, dict.fromkeys(transfers, ALPHA))}
    if not alphas:
        ways["the paper's α, mean over events"] = averaged, dict.fromkeys(PAPER_TRANSFERS, ALPHA)
    ways["α chosen on validation"] = settings, chosen
    groups = {(way, None): requests_for(settings, "image/Ls", both) for way in ways}
    groups |= {
        (way, transfer): requests_for(setting, f"{BOTH}{transfer}", alpha=alpha)
        for way, (setting, weights) in ways.items()
        for transfer, alpha in weights.items()
    }
    finished_runs = in_groups(groups)
    every = {way: [run for (one, _), runs in finished_runs.items() if one == way for run in runs] for way in ways}
    readings, splits = {way: {} for way in ways}, splits_of(every["α chosen on validation"])
    for split in splits:
        compared = [
            compare(every[way], [(both, f"{BOTH}{transfer}") for transfer in weights], split).assign(
                way=way, alpha=list(weights.values())
            )
            for way, (_, weights) in ways.items()
        ]
        table = pd.concat(compared, ignore_index=True)  # all of them are one family
        table["p_holm"] = holm(table["p"].to_numpy())
        for way, found in table.groupby("way", sort=False):
            readings[way][split] = as_rows(found.drop(columns="way"))
    claims = {split: as_rows(judged(every["α chosen on validation"], split)) for split in splits}
    what = "α and β searched on validation, and the transfers at the chosen α"
    trained = [run for runs in finished_runs.values() for run in runs]
    return record(what, settings, trained, grid=as_rows(grid), chosen=chosen, readings=readings, claims=claims)


def baselines(settings: Settings) -> dict:
    """Compare the transfers with what needs no events: late fusion, a linear probe, modality dropout, unimodal losses.

    Late fusion weighs the probabilities of the two unimodal runs of a seed, w p(image) + (1 − w) p(sound), and the
    linear probe is a logistic regression on the frozen representations N_v(0), N_a(0); w and its C are chosen on
    validation. All of these are ours, not the paper's.

    Returns:
        A record: ``compared``, by split, each approach against the photograph alone and against L_s with both senses.
    """
    cells = [f"{BOTH}Ls", *(f"{BOTH}{transfer}" for transfer in PAPER_TRANSFERS), *REMEDIES]
    runs = runs_for(settings, "image/Ls", "sound/Ls", *cells)
    of_cell = {cell: [run for run in runs if run.cell == cell] for cell in ("image/Ls", "sound/Ls", *cells)}
    fused, weights = late_fusion(of_cell["image/Ls"], of_cell["sound/Ls"])
    probed, strength = linear_probe(of_cell["image/Ls"][0])
    compared = {}
    for split in splits_of(runs):
        named = {cell: confusions(found, split) for cell, found in of_cell.items()}
        seeds = len(settings.seeds)
        in_order = sorted(of_cell["image/Ls"], key=lambda run: run.seed)  # as `confusions` has the others
        named["late fusion"] = np.concatenate([confusions([run], split, fused[run.seed][split]) for run in in_order])
        named["linear probe"] = confusions(of_cell["image/Ls"][:1], split, probed[split]).repeat(seeds, axis=0)
        resampled = {cell: resampled_f(found) for cell, found in named.items() if cell != "sound/Ls"}
        pairs = [(base, cell) for base in ("image/Ls", f"{BOTH}Ls") for cell in resampled if cell != base]
        pairs.remove((f"{BOTH}Ls", "image/Ls"))
        found = estimates([resampled[cell] - resampled[base] for base, cell in pairs], named["image/Ls"].shape[1])
        table = pd.DataFrame(
            [
                {"base": base, "other": cell, "f_other": resampled[cell][:, 0].mean()} | asdict(one)
                for (base, cell), one in zip(pairs, found, strict=True)
            ]
        )
        compared[split] = as_rows(table.assign(p_holm=holm(table["p"].to_numpy())))
    what = "The transfers beside what needs no events"
    return record(what, settings, runs, compared=compared, weights=weights, strength=strength)


def inside(settings: Settings) -> dict:
    """Measure where networks look, how events separate scenes, and what bad photographs cost, on the largest split."""
    runs = runs_for(settings, *LOOKED_INTO)
    split, known = splits_of(runs)[-1], prepared(settings).knowledge
    found = {}
    if settings.dataset == "miniature":  # only there is it known where the objects are
        looked = localisation(runs, [split])
        found["localisation"] = as_rows(compare_means(looked, ("pointing", "energy"), runs[0].cell))
        found["area"] = round(float(looked["area"].mean()), 2)
    seen = [run for run in runs if run.cell in SHOWN]
    predicted = [(run, event_distribution(run, split, known.posteriors)) for run in seen]
    mixtures = [(run, compound_of(run, split, known.posteriors)) for run in runs]
    for view, points, base in (("predicted", predicted, SHOWN[0]), ("same mixture", mixtures, f"{BOTH}Ls")):
        apart = separations(points, split)
        found[f"separation, {view}"] = as_rows(compare_means(apart, ("silhouette", "purity"), base))
    Parallel(n_jobs=cores())(delayed(guesses)(run, split) for run in runs)
    found["robustness"] = as_rows(robustness(runs, split))
    return record("Where networks look, events as a space, bad photographs", settings, runs, split=split, **found)


def after(settings: Settings, transfers: Sequence[str] = PAPER_TRANSFERS) -> dict:
    """Ask of finished runs what later papers ask: a linear probe on frozen representations, and retrieval.

    Args:
        settings: data, profile, seeds and device.
        transfers: those to ask beside L_s, for data on which a run takes minutes.

    Returns:
        A record: ``probe``, ``alike`` and ``retrieval`` (by ``events`` and by ``map``), each by split, as `probes` and
        `retrieval` return them; ``random splits``, the probe before training on splits by pair and by location.
    """
    cells = [f"{BOTH}Ls", *(f"{BOTH}{transfer}" for transfer in transfers)]
    runs, shared = runs_for(settings, "image/Ls", "sound/Ls", *cells), prepared(settings)
    tested = splits_of(runs)
    found = of_approaches(runs, tested)
    named = probed(found, shared, tested)
    probes, alike, retrieval = {}, {}, {}
    for split in tested:
        probes[split] = as_rows(probe_scores(named, shared, split))
        alike[split] = as_rows(alikeness(found, shared, split))
        retrieval[split] = {
            way: as_rows(retrievals(similarities(found, shared, split), shared, split))
            for way, similarities in WAYS.items()
        }
    torn = {"random splits": as_rows(on_random_splits(runs[0]))}
    what = "A linear probe on frozen representations, and retrieval between photograph and sound"
    return record(what, settings, runs, probe=probes, alike=alike, retrieval=retrieval, **torn)


def hearing(settings: Settings) -> dict:
    """Listen to a dataset with a network that was trained on AudioSet, and compare with the published posteriors."""
    data, published = prepared(settings).data, advance_posteriors()
    unknown = sorted(set(data.scenes) - set(published.columns))
    if unknown:
        raise UserError(f"{data.folder}: ADVANCE has no scene '{unknown[0]}', so there is nothing to compare with")
    settings = replace(settings, sources=Sources(audio="mn04"))
    known = prepared(settings).knowledge
    y = known.soft_responses[: len(data.catalogue)]  # those of an exam come last
    measured = pd.DataFrame(known.posteriors.T, published.index, data.scenes)
    published = published[data.scenes]
    frequent = (measured.max(axis=1) + published.max(axis=1)).nlargest(24).index
    found = {
        "agreement": as_rows(agreement(measured, published).rename_axis("scene").reset_index()),
        "measured": as_rows(measured.loc[frequent].reset_index()),
        "published": as_rows(published.loc[frequent].reset_index()),
    }
    if mixed := mixed_events(data):
        generator = np.random.default_rng(0)
        shuffled = [recall_of_mixed(y, [mixed[i] for i in generator.permutation(len(mixed))]) for _ in range(20)]
        found |= {"recall": recall_of_mixed(y, mixed), "recall, shuffled": float(np.mean(shuffled))}
        found["clips that name an event"] = sum(map(bool, mixed))
    return record("What EfficientAT mn04 hears", settings, [], **found)


def reasons(settings: Settings) -> dict:
    """Measure what both senses contribute, how far students are from the teacher, and L_SQ with a mean over events."""
    approaches = [f"{BOTH}Ls", *(f"{BOTH}{transfer}" for transfer in PAPER_TRANSFERS)]
    runs, alone = runs_for(settings, *approaches), runs_for(settings, "image/Ls")
    known = prepared(settings).knowledge

    def heard(run: Run) -> bool:  # with another teacher, N_a's own classifier names other events
        return not settings.sources.new_event_head or run.request.recipe.events_on is not None

    averaged = replace(settings, preset=replace(settings.preset, sq_reduction="mean"))
    squares = scores(runs_for(averaged, f"{BOTH}SQ|Na", f"{BOTH}SQ|Nv+a"))
    parts = pd.concat([scores_of_parts([*alone, *runs], split) for split in ("train", "test")])
    return record(
        "What both senses contribute, and what is left of the teacher",
        settings,
        runs,
        parts=as_rows(parts),
        distances=as_rows(distances([run for run in runs if heard(run)], known, "test")),
        averaged=as_rows(squares),
        against_image=as_rows(compare([*alone, *runs], [("image/Ls", cell) for cell in approaches], "test")),
    )


STUDIES = {
    study.__name__: study
    for study in (
        tables,
        presets,
        alpha_beta,
        baselines,
        inside,
        after,
        hearing,
        reasons,
        difficulty,
        schedules,
        arithmetics,
        rules,
    )
}


def run_study(name: str, settings: Settings, path: Path, **options: object) -> Path:
    """Run a study and keep its record.

    Args:
        name: in `STUDIES`.
        settings: data, profile, seeds and device.
        path: JSON file to write.
        options: what this study alone can be asked, by the names of its arguments.

    Raises:
        UserError: there is no such study.
    """
    if name not in STUDIES:
        raise UserError(f"no study '{name}'; choose one of {', '.join(STUDIES)}")
    write_json(path, STUDIES[name](settings, **options))
    return path
