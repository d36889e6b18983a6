"""A finished book as a Workflow Run RO-Crate: what ran when, on what, with what, and what came out.

Its profile is https://w3id.org/ro/wfrun/workflow/0.5, on RO-Crate 1.1. The times are those that `timed.py` left beside
the book: a step counts as it last ran, and one that found its results kept took little.
"""

import json
import mimetypes
import shutil
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

from advance_lib.cache import UserError, file_digest
from downloads import repository
from graph import CHECKOUT, Asked, chapters
from plan import PHASES

PROFILES = {"process": "Process Run Crate", "workflow": "Workflow Run Crate"}
TERMS = "https://w3id.org/ro/terms/workflow-run/context"
WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
LICENCE = "https://spdx.org/licenses/MIT"
OURS = "advance-companion"
WHAT = {  # the phases of a build
    "render": "render the miniature and what networks are pre-trained on",
    "features": "turn photographs and sounds into arrays",
    "pre-train": "pre-train a network",
    "train": "train the recognisers, or find them trained",
    "chapters": "execute a chapter",
    "pages": "build the pages",
}


def steps(book: Path) -> dict[tuple[str, str], dict]:
    """Return what each step of a build has told of itself, by phase and name, in the order in which they began.

    Args:
        book: folder of the book.
    """
    found = {
        (phase, path.stem): json.loads(path.read_text(encoding="utf-8"))
        for phase in PHASES
        for path in (book / "taken" / phase).glob("[!.]*.json")
    }
    return dict(sorted(found.items(), key=lambda item: item[1]["begun"]))


def make_crate(asked: Asked) -> Path:
    """Write the ``ro-crate-metadata.json`` of a finished book, and put a copy of its workflow beside it.

    Args:
        asked: which book.

    Returns:
        The file.

    Raises:
        UserError: the book is not finished, or the package rocrate is missing.
    """
    book = asked.folder
    if not (book / "html" / "index.html").is_file():
        raise UserError(f"{book}: no finished book here; `make book` builds it")
    try:
        from rocrate.rocrate import ROCrate
    except ImportError:
        raise UserError("the package rocrate is missing; pip install '.[provenance]' brings it") from None

    crate = ROCrate(version="1.1")
    crate.metadata.extra_contexts.append(TERMS)
    told = steps(book)
    root(crate, asked, told)
    workflow = workflow_of(crate, book)
    inputs = settings_of(crate, asked, workflow)
    outputs = {name: file_of(crate, book, name) for name in made(book)}
    run(crate, workflow, inputs, list(outputs.values()), told)
    for (phase, name), record in told.items():
        step(crate, phase, name, record, inputs, outputs)
    crate.metadata.write(book)
    return book / "ro-crate-metadata.json"


def root(crate, asked: Asked, told: dict) -> None:
    """Say what the crate is, and which profiles it keeps to."""
    from rocrate.model.contextentity import ContextEntity

    crate.name = f"The ADVANCE companion: the book {asked.slug}"
    crate.description = (
        "The executed chapters and pages of an executable book for the paper 'Cross-Task Transfer for Geotagged "
        "Audiovisual Aerial Scene Recognition', and how they were made."
    )
    crate.datePublished = moment(max(record["begun"] for record in told.values()))
    authors = {"@type": "Organization", "name": "The ADVANCE companion's authors"}
    crate.root_dataset["author"] = crate.add(ContextEntity(crate, "#authors", properties=authors))
    licence = {"@type": "CreativeWork", "name": "MIT License", "identifier": "MIT"}
    crate.license = crate.add(ContextEntity(crate, LICENCE, properties=licence))
    for name, title in PROFILES.items():
        profile = {"@type": "CreativeWork", "name": title, "version": "0.5"}
        kept = crate.add(ContextEntity(crate, f"https://w3id.org/ro/wfrun/{name}/0.5", properties=profile))
        crate.root_dataset.append_to("conformsTo", kept)
    profile = {"@type": "CreativeWork", "name": "Workflow RO-Crate", "version": "1.0"}
    crate.root_dataset.append_to("conformsTo", crate.add(ContextEntity(crate, WORKFLOW_CRATE, properties=profile)))


def workflow_of(crate, book: Path):
    """Add the workflow with the versions of its software; a copy of its files is put into the book's folder."""
    from importlib.metadata import version

    from advance_lib.analysis.records import commit
    from advance_lib.training.devices import environment

    kept = [CHECKOUT / "workflow" / "Snakefile", *sorted((CHECKOUT / "workflow").glob("*.py"))]
    kept += [CHECKOUT / name for name in ("requirements.txt", "_config.yml", "_toc.yml")]
    for path in kept:
        copy = book / "made-by" / path.relative_to(CHECKOUT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    snakefile = "made-by/workflow/Snakefile"
    properties = {
        "name": "From data to book",
        "description": "Renders or reads the data, pre-trains, trains, executes the chapters and builds the pages.",
        "version": commit(),
        "license": {"@id": LICENCE},
        "encodingFormat": "text/plain",
        "conformsTo": {"@id": BIOSCHEMAS},
    }
    if address := repository():
        properties["codeRepository"] = address
    language = {"main": True, "lang": "snakemake", "lang_version": version("snakemake")}
    workflow = crate.add_workflow(book / snakefile, snakefile, properties=properties, **language)
    for path in kept[1:]:
        file_of(crate, book, f"made-by/{path.relative_to(CHECKOUT).as_posix()}")
    made_with = environment("cpu") | {name: version(name) for name in ("jupyter-book", "papermill")}
    made_with["snakemake"] = version("snakemake")
    workflow["softwareRequirements"] = [software(crate, *one) for one in made_with.items() if one[0] != "device"]
    return workflow


def settings_of(crate, asked: Asked, workflow) -> list:
    """Add what was asked of the workflow, each setting as the value of one of its parameters."""
    from rocrate.model.contextentity import ContextEntity

    from advance_lib.data.places import dataset_state

    values = []
    for field in fields(asked):
        parameter = crate.add_formal_parameter(
            field.name, "Text", identifier=f"#parameter-{field.name}", defaultValue=field.default
        )
        workflow.append_to("input", parameter)
        value = {"@type": "PropertyValue", "name": field.name, "value": named(asked, field.name)}
        values.append(crate.add(ContextEntity(crate, f"#{field.name}", properties=value)))
        values[-1]["exampleOfWork"] = parameter
    state = {"@type": "PropertyValue", "name": "state of the dataset", "value": dataset_state(asked.dataset)}
    state["description"] = "the name of what the library renders itself; a hash of a folder's names, sizes and dates"
    return [*values, crate.add(ContextEntity(crate, "#dataset-state", properties=state))]


def named(asked: Asked, setting: str) -> str:
    """Return a setting as it is published: of a folder of one's own only the last part of its path."""
    value = getattr(asked, setting)
    return Path(value).name if setting == "dataset" else value


def made(book: Path) -> list[str]:
    """Return what a build leaves behind, as names in the book's folder: its chapters as executed, and its pages."""
    executed = [f"executed/{name}.ipynb" for name in [*chapters(), "status"]]
    pages = ["html/index.html", *(f"html/book/{path.name}" for path in sorted((book / "html/book").glob("*.html")))]
    return [name for name in executed if (book / name).is_file()] + pages


def file_of(crate, book: Path, name: str):
    """Add a file of the book's folder with its size, type and SHA-256."""
    path = book / name
    kind = {".ipynb": "application/x-ipynb+json", ".yml": "application/yaml"}.get(path.suffix)
    kind = kind or mimetypes.guess_type(name)[0] or "text/plain"
    size = str(path.stat().st_size)
    properties = {"name": path.name, "contentSize": size, "encodingFormat": kind, "sha256": file_digest(path)}
    return crate.add_file(path, name, properties=properties)


def software(crate, name: str, version: str):
    """Add a package with its version."""
    from rocrate.model.contextentity import ContextEntity

    published = "generic" if name in ("python", OURS) else "pypi"
    properties = {"@type": "SoftwareApplication", "name": name, "softwareVersion": version}
    return crate.add(ContextEntity(crate, f"pkg:{published}/{name}@{version}", properties=properties))


def run(crate, workflow, inputs: list, outputs: list, told: dict) -> None:
    """Add the run of the whole workflow."""
    begun = min(record["begun"] for record in told.values())
    ended = max(record["begun"] + record.get("wall", 0) for record in told.values())
    properties = {
        "name": "make book",
        "description": "The whole, from the beginning of its first step to the end of its last; each as it last ran.",
        "startTime": moment(begun),
        "endTime": moment(ended),
        "actionStatus": status(max(record.get("code", 1) for record in told.values())),
    }
    action = crate.add_action(workflow, "#run", object=inputs, result=outputs, properties=properties)
    crate.root_dataset.append_to("mentions", action)


def step(crate, phase: str, name: str, record: dict, inputs: list, outputs: dict) -> None:
    """Add one step of the run: its phase, its times, and the files that it made."""
    results = {
        "chapters": [f"executed/{name}.ipynb"],
        "pages": [file for file in outputs if file.startswith("html/")],
    }.get(phase, [])
    results = [outputs[file] for file in results if file in outputs]
    properties = {
        "name": f"{phase}: {name}",
        "description": f"{WHAT[phase]}; {record.get('cpu', 0):.1f} s of CPU, {record.get('memory', 0):.0f} MB at most",
        "startTime": moment(record["begun"]),
        "endTime": moment(record["begun"] + record.get("wall", 0)),
        "actionStatus": status(record.get("code", 1)),
    }
    results = results[0] if len(results) == 1 else results
    tool = next(one for one in crate.get_by_type("SoftwareApplication") if one["name"] == OURS)
    action = crate.add_action(tool, f"#{phase}-{name}", object=inputs, result=results, properties=properties)
    crate.root_dataset.append_to("mentions", action)


def status(code: int) -> str:
    """Return how an action ended, by its exit code."""
    return f"http://schema.org/{'Failed' if code else 'Completed'}ActionStatus"


def moment(seconds: float) -> str:
    """Return a time since 1970 as ISO 8601, in UTC."""
    return datetime.fromtimestamp(round(seconds), UTC).isoformat()
