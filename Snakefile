# The graph from data to book. It only schedules: the library's cache decides what is done already, so a
# stamp here means "asked for, and found or made". What triggers a step again is the code behind it (without
# comments and docstrings) and its parameters, not the dates of files.
import os
import shlex
import sys

sys.path.insert(0, workflow.basedir)
from advance_lib.cache import build_folder, code_digest, file_digest
from advance_lib.graph import chapters, dataset_state, requested
from advance_lib.models.weights import WEIGHTS

asked = requested(config)
WORK = build_folder() / "books" / asked.slug
STAMPS = WORK / "stamps"
CORES = workflow.resource_settings.cores or 1  # on a cluster the profile says how many
GPU = 1 if asked.device == "cuda" else 0  # for every rule that opens networks: the key of a run says its arithmetic
CHAPTERS = chapters()

# What the chapters show their results with.
SHOWN = (
    "advance_lib.experiments.settings",
    "advance_lib.analysis.scores",
    "advance_lib.analysis.one_pair",
    "advance_lib.analysis.events",
    "advance_lib.analysis.distributions",
    "advance_lib.figures.diagrams",
    "advance_lib.figures.events",
    "advance_lib.figures.results",
    "advance_lib.figures.studies",
    "advance_lib.figures.inside",
    "advance_lib.costs",
    "advance_lib.cost_figures",
)

# What every run rests on: data, pre-trained networks, and the code of a run.
MADE_FROM = [
    dataset_state(asked.dataset),
    WEIGHTS["mn04"].path.is_file(),  # with it, a real dataset is heard by real ears as well
    code_digest("advance_lib.data.dataset"),
    code_digest("advance_lib.transfer.pretraining"),
    code_digest("advance_lib.experiments.runs"),
]

os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
ADVANCE = f"{shlex.quote(sys.executable)} -m advance_lib.cli"
ALONE = f"TQDM_DISABLE=1 {ADVANCE}"  # several at once, or on a page: no bars
WHERE = f"--profile {asked.profile}"
DATA = f"{WHERE} --dataset {asked.dataset:q}"
RUNS = f"{DATA} --seeds {asked.seeds} --device {asked.device}"


rule book:
    input:
        [WORK / "executed" / f"{name}.ipynb" for name in [*CHAPTERS, "status"]],
        texts=[path for path in asked.texts],
    output:
        WORK / "html" / "index.html",
    params:
        code=code_digest("advance_lib.book"),
        texts=[file_digest(path) for path in asked.texts],
    shell:
        "{ADVANCE} pages {RUNS}"


rule features:
    output:
        touch(STAMPS / "features"),
    params:
        code=code_digest("advance_lib.data.dataset"),
        data=dataset_state(asked.dataset),
    threads: CORES
    shell:
        "{ADVANCE} features {DATA}"


rule pretraining_sets:
    output:
        touch(STAMPS / "pretraining-sets"),
    params:
        code=code_digest("advance_lib.miniature.world"),
    threads: CORES
    shell:
        "{ADVANCE} pretrain sets {WHERE}"


rule pretraining:
    input:
        STAMPS / "pretraining-sets",
    output:
        touch(STAMPS / "pretrained-{sense}"),
    params:
        code=code_digest("advance_lib.transfer.pretraining"),
    threads: CORES if asked.device == "cuda" else 1  # two trainings would share the GPU's memory
    resources:
        gpu=GPU,
    shell:
        "{ALONE} pretrain {wildcards.sense} {WHERE} --device {asked.device}"


if asked.shares == 1:

    # One job: the library trains in as many processes as there are cores, and one by one on a GPU.
    rule runs:
        input:
            STAMPS / "features",
            STAMPS / "pretrained-visual",
            STAMPS / "pretrained-audio",
        output:
            touch(STAMPS / "runs"),
        params:
            made_from=MADE_FROM,
            runs=RUNS,
        threads: CORES
        resources:
            gpu=GPU,
        shell:
            "{ADVANCE} train {RUNS}"

else:

    # One of several jobs, on any node that shares the build folder: it trains its runs one by one.
    rule share:
        input:
            STAMPS / "features",
            STAMPS / "pretrained-visual",
            STAMPS / "pretrained-audio",
        output:
            touch(STAMPS / "runs-{share}-of-{shares}"),
        params:
            made_from=MADE_FROM,
            runs=RUNS,
        resources:
            gpu=GPU,
        shell:
            "{ADVANCE} train {RUNS} --share {wildcards.share}/{wildcards.shares} --jobs 1"

    rule runs:
        input:
            [STAMPS / f"runs-{share}-of-{asked.shares}" for share in range(1, asked.shares + 1)],
        output:
            touch(STAMPS / "runs"),


rule chapter:
    input:
        STAMPS / "runs",
        notebook=os.path.join(workflow.basedir, "book", "{name}.ipynb"),
    output:
        WORK / "executed" / "{name}.ipynb",
    benchmark:
        WORK / "benchmarks" / "{name}.tsv"
    params:
        code=[code_digest(name) for name in SHOWN],
        made_from=MADE_FROM,
        references=[file_digest(path) for path in asked.references],
        runs=RUNS,
    wildcard_constraints:
        name="(?!status).*",
    resources:
        gpu=GPU,
    shell:
        "{ALONE} chapter {input.notebook:q} {output:q} {RUNS}"


# The status page reports on the other chapters, so it comes last.
rule status:
    input:
        [WORK / "executed" / f"{name}.ipynb" for name in CHAPTERS],
        notebook=os.path.join(workflow.basedir, "book", "status.ipynb"),
    output:
        WORK / "executed" / "status.ipynb",
    params:
        code=code_digest("advance_lib.figures.status"),
        made_from=MADE_FROM,
        runs=RUNS,
    resources:
        gpu=GPU,
    shell:
        "{ALONE} chapter {input.notebook:q} {output:q} {RUNS}"
