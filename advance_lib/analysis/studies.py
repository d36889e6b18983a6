"""Longer computations whose results are kept as small JSON files under ``results/``: the book's reference runs.

Chapters: The claims; What the paper says, what its code does; Choosing α and β; After the paper; The miniature.
"""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from advance_lib.analysis.activation import localisation
from advance_lib.analysis.baselines import REMEDIES, late_fusion, linear_probe
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
from advance_lib.analysis.retrieval import WAYS, alikeness, retrievals
from advance_lib.analysis.robustness import guesses, robustness
from advance_lib.analysis.scores import over_epochs, scores
from advance_lib.analysis.senses import scores_of_parts
from advance_lib.analysis.statistics import estimates, holm, resampled_f
from advance_lib.analysis.words import counted
from advance_lib.cache import PACKAGE, UserError, code_digest, cores, digest, write_json
from advance_lib.data.published import advance_posteriors
from advance_lib.experiments.cells import ALPHA, BETA, CELLS, L_S_CELLS, PAPER_TRANSFERS, cells_of, paper_scores
from advance_lib.experiments.prepared import prepared, world_of
from advance_lib.experiments.profiles import PROFILES, get_profile
from advance_lib.experiments.runs import Request, Run, finished, requests_for, runs_for
from advance_lib.experiments.settings import Settings, Sources
from advance_lib.miniature.world import World, render_world
from advance_lib.training.devices import effective_precision, environment
from advance_lib.transfer.presets import CODE, PAPER, Preset, choices

RESULTS = PACKAGE.parent / "results"

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

# Worlds that nothing but the miniature's difficulty and its training were chosen on; the book's own is not among them.
CALIBRATION_WORLDS = (101, 102, 103)
RATES_AND_EPOCHS = ((1e-3, 16), (2e-3, 16), (2e-3, 24))
LAST_EPOCHS = 6

ALPHAS = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
BETAS = (0.0, 0.001, 0.1, 10.0)
ALPHAS_WITH_BETAS = (0.01, 0.1, 1.0)
SEARCH_SEEDS = 2
SEARCHED = (*PAPER_TRANSFERS, "unimodal")


def commit() -> str:
    """Return the commit of the checkout, or ``"unknown"``."""
    asked = ["git", "-C", str(PACKAGE.parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(asked, check=False, capture_output=True, text=True).stdout.strip() or "unknown"
    except FileNotFoundError:  # there is no git
        return "unknown"


def code_key(profile: str) -> str:
    """Return a key of what a run of a profile computes: the code of a run, of features and of rendering, and all sizes.

    Comments, docstrings and where a function stands do not count.

    Raises:
        UserError: there is no such profile.
    """
    parts = ("advance_lib.experiments.one_run", "advance_lib.data.features", "advance_lib.miniature.world")
    return digest([code_digest(part) for part in parts], asdict(get_profile(profile)))


def is_stale(kept: dict) -> bool:
    """Return whether a record was made by other code than today's, or says nothing of its code."""
    if "profile" not in kept:  # nothing was trained for it
        return kept["code_key"] != code_digest("advance_lib.analysis.error_rates")
    return kept["profile"] not in PROFILES or kept.get("code_key") != code_key(kept["profile"])


def record(what: str, settings: Settings, runs: Sequence[Run], **found: object) -> dict:
    """Return what a reference file holds besides its findings: origin, device, versions, commit, data, seeds."""
    data = prepared(settings).data
    return {
        "what": what,
        "data": data.title,
        "data_hash": data.key(),
        "profile": settings.profile,
        "seeds": list(settings.seeds),
        "networks": asdict(settings.sources),
        "commit": commit(),
        "code_key": code_key(settings.profile),
        "environment": _environment(settings, runs),
        "minutes of training": round(sum(run.metrics["seconds"] for run in runs) / 60, 1),
        **found,
    }


def _environment(settings: Settings, runs: Sequence[Run]) -> dict[str, str]:
    """Return devices and versions that the runs say; those of this machine where there are none."""
    said = [run.config.get("environment", {}) for run in runs] or [{}]
    here = environment(settings.device)
    found = {name: list(dict.fromkeys(one[name] for one in said if name in one)) for name in here}
    return {name: " and ".join(values) if (values := found[name]) else here[name] for name in here}


def splits_of(runs: Sequence[Run]) -> list[str]:
    """Return the splits that are reported: test, and the exam where there is one."""
    return [split for split in ("test", "exam") if split in runs[0].metrics["scores"]]


def _rounded(table: pd.DataFrame) -> list[dict]:
    return json.loads(table.round(4).to_json(orient="records"))


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
        claims[split] = _rounded(judged(runs, split))
        calibration[split] = reliability_errors(runs, split).round(3).to_dict()
        if 1 in numbers:
            gains[split] = {
                transfer: class_gains(runs, f"{BOTH}Ls", f"{BOTH}{transfer}", split, scenes).round(2).to_dict()
                for transfer in PAPER_TRANSFERS
            }
        if 3 in numbers:
            pair, nearest = (LOOKED_UP, f"{BOTH}only E1"), nearest_posterior(runs[0], split)
            looked_up[split] = _rounded(compare(runs, [pair], split, looked_up=nearest))[0]
    return record(
        f"Table{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}",
        settings,
        runs,
        scores=_rounded(scores(runs)),
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
        "rows": _rounded(error_rates(EXPERIMENTS)),
    }


def _in_groups(groups: dict[object, list[Request]]) -> dict[object, list[Run]]:
    """Finish the requests of all groups at once, and hand the runs back group by group."""
    runs = iter(finished([request for requests in groups.values() for request in requests]))
    return {name: [next(runs) for _ in requests] for name, requests in groups.items()}


def _fscore(run: Run, split: str) -> float:
    return run.metrics["scores"][split]["fscore"]


def presets(settings: Settings) -> dict:
    """Switch each field of the preset from the paper's to the code's, alone, and measure the F-score; then all."""
    variants: dict[str, tuple[Preset, tuple[str, ...]]] = {
        field: (replace(PAPER, **{field: choices()[field][1]}), cells) for field, cells in STUDIED.items()
    }
    variants[ALL_FIELDS] = (CODE, (f"{BOTH}Ls", f"{BOTH}E"))
    groups = {("", cell): requests_for(settings, cell) for _, cells in variants.values() for cell in cells}
    for field, (preset, cells) in variants.items():
        groups |= {(field, cell): requests_for(replace(settings, preset=preset), cell) for cell in cells}
    finished_runs = _in_groups(groups)
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
            base, other = ([_fscore(run, split) for run in some] for some in (finished_runs["", cell], runs))
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
    return record(what, settings, every, effects=_rounded(table))


def alpha_beta(settings: Settings, alphas: Sequence[float] = ()) -> dict:
    """Search α, and β for L_E, on the validation split; then compare each transfer at its chosen α with all seeds.

    Two seeds take part in the search. Beside the chosen α stands the paper's α = 0.1 as its formulas read, with a sum
    over the events, and as its code does, with their mean. Our own `remedies.unimodal` gets the same search.

    Args:
        settings: data, profile, seeds and device.
        alphas: the only ones to try, with the first seed, the paper's transfers and β as it is, and no mean: for data
            on which a run takes minutes; `ALPHAS` and all of the above without it.

    Returns:
        A record: ``grid``, the validation F-score of each run of the search; ``chosen``, transfer to α; ``readings``,
        by name and split, what `claims.compare` says of each transfer against L_s; ``claims``, those of Table 1 judged
        with the chosen α.
    """
    both, searched = f"{BOTH}Ls", replace(settings, seeds=settings.seeds[: 1 if alphas else SEARCH_SEEDS])
    transfers = PAPER_TRANSFERS if alphas else SEARCHED
    groups: dict[object, list[Request]] = {("none", 0.0, 0.0): requests_for(searched, both)}
    for transfer in transfers:
        for alpha in alphas or ALPHAS:
            for beta in BETAS if transfer == "E" and alpha in ALPHAS_WITH_BETAS and not alphas else (BETA,):
                cell = f"{BOTH}{transfer}"
                groups[transfer, alpha, beta] = requests_for(searched, cell, alpha=alpha, beta=beta)
    rows = [
        {
            "transfer": transfer,
            "alpha": alpha,
            "beta": beta,
            "seed": run.seed,
            "validation": run.metrics["scores"]["validation"]["fscore"],
        }
        for (transfer, alpha, beta), runs in _in_groups(groups).items()
        for run in runs
    ]
    grid = pd.DataFrame(rows)
    means = grid[grid["beta"] == BETA].groupby(["transfer", "alpha"], sort=False)["validation"].mean()
    chosen = {transfer: float(means[transfer].idxmax()) for transfer in transfers}

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
    finished_runs = _in_groups(groups)
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
            readings[way][split] = _rounded(found.drop(columns="way"))
    claims = {split: _rounded(judged(every["α chosen on validation"], split)) for split in splits}
    what = "α and β searched on validation, and the transfers at the chosen α"
    trained = [run for runs in finished_runs.values() for run in runs]
    return record(what, settings, trained, grid=_rounded(grid), chosen=chosen, readings=readings, claims=claims)


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
        compared[split] = _rounded(table.assign(p_holm=holm(table["p"].to_numpy())))
    what = "The transfers beside what needs no events"
    return record(what, settings, runs, compared=compared, weights=weights, strength=strength)


def inside(settings: Settings) -> dict:
    """Measure where networks look, how events separate scenes, and what bad photographs cost, on the largest split."""
    runs = runs_for(settings, *LOOKED_INTO)
    split, known = splits_of(runs)[-1], prepared(settings).knowledge
    found = {}
    if settings.dataset == "miniature":  # only there is it known where the objects are
        looked = localisation(runs, [split])
        found["localisation"] = _rounded(compare_means(looked, ("pointing", "energy"), runs[0].cell))
        found["area"] = round(float(looked["area"].mean()), 2)
    seen = [run for run in runs if run.cell in SHOWN]
    predicted = [(run, event_distribution(run, split, known.posteriors)) for run in seen]
    mixtures = [(run, compound_of(run, split, known.posteriors)) for run in runs]
    for view, points, base in (("predicted", predicted, SHOWN[0]), ("same mixture", mixtures, f"{BOTH}Ls")):
        apart = separations(points, split)
        found[f"separation, {view}"] = _rounded(compare_means(apart, ("silhouette", "purity"), base))
    Parallel(n_jobs=cores())(delayed(guesses)(run, split) for run in runs)
    found["robustness"] = _rounded(robustness(runs, split))
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
        probes[split] = _rounded(probe_scores(named, shared, split))
        alike[split] = _rounded(alikeness(found, shared, split))
        retrieval[split] = {
            way: _rounded(retrievals(similarities(found, shared, split), shared, split))
            for way, similarities in WAYS.items()
        }
    torn = {"random splits": _rounded(on_random_splits(runs[0]))}
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
        "agreement": _rounded(agreement(measured, published).rename_axis("scene").reset_index()),
        "measured": _rounded(measured.loc[frequent].reset_index()),
        "published": _rounded(published.loc[frequent].reset_index()),
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
        parts=_rounded(parts),
        distances=_rounded(distances([run for run in runs if heard(run)], known, "test")),
        averaged=_rounded(squares),
        against_image=_rounded(compare([*alone, *runs], [("image/Ls", cell) for cell in approaches], "test")),
    )


def _variant(settings: Settings, training: dict, pretraining: dict | None = None) -> Settings:
    """Return a setting whose profile trains otherwise; the profile is registered under a name of its own."""
    usual = settings.sizes
    changed = {
        part: replace(getattr(usual, part), **(changes or {}))
        for part, changes in (("training", training), ("pretraining", pretraining))
    }
    profile = replace(usual, name=f"{usual.name} with {training}", **changed)
    PROFILES[profile.name] = profile
    return replace(settings, profile=profile.name)


def _of_worlds(settings: Settings, worlds: Sequence[int]) -> dict[int, Settings]:
    """Return a setting on other worlds, by their seeds."""
    if settings.dataset != "miniature":
        raise UserError(f"{settings.dataset}: only the miniature has other worlds")
    drawn = {seed: replace(world_of(settings.sizes), seed=seed) for seed in worlds}
    return {seed: replace(settings, dataset=str(render_world(world))) for seed, world in drawn.items()}


def schedules(settings: Settings, worlds: Sequence[int] = CALIBRATION_WORLDS) -> dict:
    """Train the L_s approaches of other worlds with several learning rates and limits of epochs.

    Args:
        settings: of the miniature.
        worlds: their seeds; the book's own is not among them, and no test split is looked at.

    Raises:
        UserError: the dataset is not the miniature.
    """
    groups = {
        (world, rate, epochs, cell): requests_for(_variant(setting, {"learning_rate": rate, "epochs": epochs}), cell)
        for world, setting in _of_worlds(settings, worlds).items()
        for rate, epochs in RATES_AND_EPOCHS
        for cell in L_S_CELLS
    }
    finished_runs = _in_groups(groups)
    rows = [
        {
            "world": world,
            "learning_rate": rate,
            "epochs": epochs,
            "cell": cell,
            "seed": run.seed,
            "selected": run.metrics["epoch"] + 1,
            "validation": [round(epoch["validation"], 2) for epoch in run.metrics["history"]],
        }
        for (world, rate, epochs, cell), runs in finished_runs.items()
        for run in runs
    ]
    every = [run for runs in finished_runs.values() for run in runs]
    return record("Validation F-score after each epoch, on other worlds", settings, every, rows=rows)


def schedule_table(kept: dict) -> pd.DataFrame:
    """Return what `schedules` found, by learning rate, limit of epochs and approach.

    Returns:
        Columns ``score``, the mean validation F-score of the last `LAST_EPOCHS` epochs, ``selected`` and ``trained``,
        epochs, and ``at the limit``, the share of runs that select the last epoch they may.
    """
    rows = [
        {name: row[name] for name in ("learning_rate", "epochs", "cell", "selected")}
        | {"score": np.mean(row["validation"][-LAST_EPOCHS:]), "trained": len(row["validation"])}
        | {"at the limit": float(row["selected"] == row["epochs"])}
        for row in kept["rows"]
    ]
    means = pd.DataFrame(rows).groupby(["learning_rate", "epochs", "cell"]).mean()
    return means[["score", "selected", "trained", "at the limit"]]


def arithmetics(settings: Settings) -> dict:
    """Train the L_s approaches in float32 and in bfloat16, pre-training included, and return the scores of each seed.

    Raises:
        UserError: this processor has no bfloat16 of its own, so there is nothing to compare.
    """
    if effective_precision(settings.device, "bf16-mixed") == "32-true":
        raise UserError("this processor has no bfloat16 of its own, so there is nothing to compare")
    ways = [{"precision": precision} for precision in ("32-true", "bf16-mixed")]
    groups = {
        (way["precision"], cell): requests_for(_variant(settings, way, way), cell) for cell in L_S_CELLS for way in ways
    }
    finished_runs = _in_groups(groups)
    rows = [
        {"precision": precision, "cell": cell, "seed": run.seed, "seconds": round(run.metrics["seconds"], 1)}
        | {"epoch": run.metrics["epoch"], "epochs": len(run.metrics["history"])}
        | {split: round(_fscore(run, split), 2) for split in ("validation", *splits_of(runs))}
        for (precision, cell), runs in finished_runs.items()
        for run in runs
    ]
    every = [run for runs in finished_runs.values() for run in runs]
    return record("The same runs in float32 and in bfloat16", settings, every, rows=rows)


def arithmetic_table(kept: dict, split: str) -> pd.DataFrame:
    """Return what `arithmetics` found, one row an approach.

    Args:
        kept: the record.
        split: whose F-scores, in percent.

    Returns:
        Columns ``float32`` and ``bfloat16``, means over the seeds, ``±`` of each seed's deviation in float32,
        ``difference`` in points, its ``p`` by a paired t test, and ``times as fast``, seconds an epoch.
    """
    from scipy import stats

    rows, table = pd.DataFrame(kept["rows"]), {}
    for cell, found in rows.groupby("cell", sort=False):
        exact, coarse = (found[found["precision"] == name].set_index("seed") for name in ("32-true", "bf16-mixed"))
        seconds = [(way["seconds"] / way["epochs"]).median() for way in (exact, coarse)]
        table[cell] = {
            "float32": exact[split].mean(),
            "±": exact[split].std(),
            "bfloat16": coarse[split].mean(),
            "difference": (coarse[split] - exact[split]).mean(),
            "p": stats.ttest_rel(exact[split], coarse[split]).pvalue,
            "times as fast": seconds[0] / seconds[1],
        }
    return pd.DataFrame(table).T


def _at_the_end(run: Run) -> float:
    """Mean validation score of a run's last epochs: the selected epoch's own would flatter it."""
    return float(np.mean([epoch["validation"] for epoch in run.metrics["history"][-LAST_EPOCHS:]]))


def difficulty(
    settings: Settings,
    worlds: Sequence[int] = CALIBRATION_WORLDS,
    difficulties: Sequence[float] = (),
    odds: Sequence[float] = (),
) -> dict:
    """Measure the unimodal rows of other miniature worlds, on validation splits: how hard the miniature is.

    The paper's image-only and sound-only rows on ADVANCE are 72.85 and 28.99 weighted F-score. The difficulty of the
    photographs and the factor g of the sounds were chosen so that the miniature's two rows come near them. No
    multimodal row and no test split is looked at here.

    Args:
        settings: of the miniature.
        worlds: their seeds; the book's own is not among them.
        difficulties: of the photographs, to try in place of the chosen one.
        odds: factors g, to try in place of the chosen one.

    Raises:
        UserError: the dataset is not the miniature.
    """
    if settings.dataset != "miniature":
        raise UserError(f"{settings.dataset}: only the miniature's difficulty can be set")
    own = [replace(world_of(settings.sizes), seed=seed) for seed in worlds]
    # The sounds do not depend on the photographs' side, so small ones will do.
    tries = [(replace(world, difficulty=d), "image") for world in own for d in difficulties]
    tries += [(replace(world, g=g, side=32), "sound") for world in own for g in odds]
    tries = tries or [(world, sense) for world in own for sense in ("image", "sound")]
    finished_runs = _in_groups(
        {
            (world, sense): requests_for(replace(settings, dataset=str(render_world(world))), f"{sense}/Ls")
            for world, sense in tries
        }
    )
    rows = [
        (world.seed, world.difficulty, world.g, sense, _at_the_end(run))
        for (world, sense), runs in finished_runs.items()
        for run in runs
    ]
    table = pd.DataFrame(rows, columns=["world", "difficulty", "g", "sense", "fscore"])
    means = table.pivot_table(index=["world", "difficulty", "g"], columns="sense", values="fscore")
    every = [run for runs in finished_runs.values() for run in runs]
    chosen = {"difficulty": World.difficulty, "g": World.g}
    return record("Unimodal rows of other worlds", settings, every, rows=_rounded(means.reset_index()), **chosen)


def difficulty_table(kept: dict) -> pd.DataFrame:
    """Return what `difficulty` found: one row a world, their mean, and the paper's values on ADVANCE."""
    table = pd.DataFrame(kept["rows"]).set_index("world")[["difficulty", "g", "image", "sound"]]
    paper = {sense: paper_scores(f"{sense}/Ls")["fscore"][0] for sense in ("image", "sound")}
    below = [table.mean().to_frame("mean").T, pd.DataFrame(paper, index=["the paper, on ADVANCE"])]
    return pd.concat([table, *below]).rename_axis("world")


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


def reference(name: str) -> dict:
    """Return a kept record by its file's name under ``results/``, without the suffix.

    Raises:
        UserError: it is not there.
    """
    path = RESULTS / f"{name}.json"
    if not path.exists():
        raise UserError(f"{path}: no such reference; 'make study' writes those of the miniature")
    return json.loads(path.read_text())


def origin(kept: dict, live: bool = False) -> str:
    """Return a sentence that says where a record comes from, for the book, and whether other code made it.

    Args:
        kept: the record.
        live: it was computed by this build.
    """
    seeds, where, minutes = counted(len(kept["seeds"]), "seed"), kept["environment"], round(kept["minutes of training"])
    whose = "Computed by this build" if live else "Reference runs, kept with the book and not computed by this build"
    return (
        f"{whose}: {kept['what']}; {kept['data']}, profile "
        f"{kept['profile']}, {seeds}, {where['device']}, torch {where['torch']}, commit "
        f"{kept['commit'][:7]}, data {kept['data_hash'][:8]}"
        + (f"; {counted(minutes, 'minute')} of training." if minutes else ".")
        + (" **Made by older code:** the same runs would come out differently today." if is_stale(kept) else "")
    )
