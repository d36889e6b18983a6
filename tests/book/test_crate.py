"""A finished build as a Workflow Run RO-Crate: the MUSTs of its profiles, and what rocrate's own reader understands."""

import hashlib
import json
from datetime import datetime

import pytest
from rocrate.rocrate import ROCrate

import crate
from advance_lib.cache import UserError
from graph import requested

BEGUN = {"train/runs": 1000.0, "chapters/table1": 1060.0, "pages/index": 1080.0}


@pytest.fixture
def asked(build):
    """A book with one chapter and two pages that three steps made."""
    asked = requested({"profile": "smoke", "seeds": "2"})
    files = {"executed/table1.ipynb": "{}", "html/index.html": "<html>", "html/book/table1.html": "<html>1"}
    records = {
        f"taken/{name}.json": json.dumps({"begun": begun, "wall": 10, "cpu": 9.0, "memory": 120.0, "code": 0})
        for name, begun in BEGUN.items()
    }
    for name, text in (files | records).items():
        path = asked.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return asked


@pytest.fixture
def graph_of(asked):
    """Entities of the written file by their identifiers, and the file's context."""
    written = json.loads(crate.make_crate(asked).read_text(encoding="utf-8"))
    return {entity["@id"]: entity for entity in written["@graph"]}, written["@context"]


def referenced(value):
    """The identifiers that a property holds."""
    values = value if isinstance(value, list) else [value]
    return [one["@id"] for one in values if isinstance(one, dict)]


def test_what_the_profiles_require_is_there(asked, graph_of):
    """RO-Crate 1.1, Workflow RO-Crate 1.0, Process and Workflow Run Crate 0.5: what they say MUST be."""
    entities, context = graph_of
    assert context == ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"]
    descriptor, root = entities["ro-crate-metadata.json"], entities["./"]
    assert descriptor["about"] == {"@id": "./"} and root["@type"] == "Dataset"
    assert {"https://w3id.org/ro/crate/1.1", crate.WORKFLOW_CRATE} <= set(referenced(descriptor["conformsTo"]))
    profiles = {f"https://w3id.org/ro/wfrun/{name}/0.5" for name in ("process", "workflow")}
    assert profiles < set(referenced(root["conformsTo"]))
    assert all("CreativeWork" in entities[name]["@type"] for name in profiles)
    assert all(root[name] for name in ("name", "description", "datePublished", "license"))
    datetime.fromisoformat(root["datePublished"])
    workflow = entities[root["mainEntity"]["@id"]]
    assert {"File", "SoftwareSourceCode", "ComputationalWorkflow"} == set(workflow["@type"])
    assert entities[workflow["programmingLanguage"]["@id"]]["@type"] == "ComputerLanguage"
    parameters = [entities[name] for name in referenced(workflow["input"])]
    assert all(one["@type"] == "FormalParameter" and one["additionalType"] for one in parameters)
    actions = [entity for entity in entities.values() if entity["@type"] == "CreateAction"]
    assert {action["@id"] for action in actions} == set(referenced(root["mentions"]))
    assert all("@type" in entities[action["instrument"]["@id"]] for action in actions)
    assert any(action["instrument"] == root["mainEntity"] for action in actions)
    for file in (entity for entity in entities.values() if "File" in entity["@type"]):
        assert (asked.folder / file["@id"]).is_file() and file["@id"] in referenced(root["hasPart"])


def test_every_reference_leads_to_an_entity(graph_of):
    entities, _ = graph_of
    for entity in entities.values():
        for name, value in entity.items():
            elsewhere = name in ("conformsTo", "identifier", "url")
            assert all(one in entities or elsewhere for one in referenced(value)), (entity["@id"], name)


def test_the_run_has_its_settings_times_and_files(graph_of):
    entities, _ = graph_of
    run = entities["#run"]
    seconds = [datetime.fromisoformat(run[name]).timestamp() for name in ("startTime", "endTime")]
    assert seconds == [min(BEGUN.values()), max(BEGUN.values()) + 10]
    values = {entities[name]["name"]: entities[name]["value"] for name in referenced(run["object"])}
    assert (values["profile"], values["seeds"], values["dataset"]) == ("smoke", "2", "miniature")
    assert set(referenced(run["result"])) == {"executed/table1.ipynb", "html/index.html", "html/book/table1.html"}
    assert referenced(entities["#chapters-table1"]["result"]) == ["executed/table1.ipynb"]
    page = entities["html/book/table1.html"]
    assert page["sha256"] == hashlib.sha256(b"<html>1").hexdigest() and page["contentSize"] == "7"


def test_another_reader_understands_it(asked, graph_of):
    read = ROCrate(asked.folder)
    assert read.mainEntity.lang.name == "Snakemake"
    assert {"executed/table1.ipynb", "html/book/table1.html"} <= {entity.id for entity in read.data_entities}
    versions = {one["name"]: one["softwareVersion"] for one in read.mainEntity["softwareRequirements"]}
    assert {"torch", "snakemake", "advance-companion"} <= set(versions)


def test_a_step_that_failed_says_so(asked):
    record = asked.folder / "taken" / "train" / "runs.json"
    record.write_text(json.dumps({"begun": 1000.0, "wall": 10, "code": 1}))
    entities = {entity.id: entity for entity in ROCrate(crate.make_crate(asked).parent).contextual_entities}
    assert entities["#train-runs"]["actionStatus"].endswith("FailedActionStatus")
    assert entities["#pages-index"]["actionStatus"].endswith("CompletedActionStatus")


def test_no_folder_of_this_machine_is_told(asked, tmp_path):
    text = crate.make_crate(asked).read_text(encoding="utf-8")
    assert str(tmp_path) not in text and str(crate.CHECKOUT) not in text


def test_a_book_that_is_not_finished(asked):
    (asked.folder / "html" / "index.html").unlink()
    with pytest.raises(UserError, match="no finished book here"):
        crate.make_crate(asked)
