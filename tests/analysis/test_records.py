from dataclasses import replace

import pytest

from advance_lib.analysis import records
from advance_lib.cache import UserError
from advance_lib.experiments.prepared import prepared
from advance_lib.experiments.profiles import PROFILES
from advance_lib.experiments.runs import runs_for


def test_a_record_says_what_made_it(settings, asked):
    runs = runs_for(settings, "image/Ls")
    record = records.record("Some cells", settings, runs, found=[1, 2])
    assert record["found"] == [1, 2] and record["seeds"] == [0, 1] and record["profile"] == "smoke"
    assert record["data"] == "tiny" and record["data_hash"] == prepared(settings).data.key()
    assert record["minutes of training"] == 1.0 and record["environment"]["torch"]
    sentence = records.origin(record)
    assert sentence.startswith("Reference runs, kept with the book and not computed by this build: Some cells; tiny, ")
    assert "2 seeds" in sentence and record["data_hash"][:8] in sentence
    assert sentence.endswith("; 1 minute of training.")
    assert records.origin(record | {"minutes of training": 0.2}).endswith(f"data {record['data_hash'][:8]}.")


def test_a_record_of_other_code_is_marked(settings, asked, monkeypatch):
    record = records.record("Some cells", settings, runs_for(settings, "image/Ls"))
    assert not records.is_stale(record) and "older code" not in records.origin(record)
    assert records.is_stale({name: value for name, value in record.items() if name != "code_key"})
    assert records.is_stale(record | {"profile": "one that is gone"})
    sizes = settings.sizes
    monkeypatch.setitem(PROFILES, "smoke", replace(sizes, training=replace(sizes.training, epochs=99)))
    assert records.is_stale(record) and "older code" in records.origin(record)
    monkeypatch.undo()
    monkeypatch.setattr(records, "code_digest", lambda module: module)
    assert records.is_stale(record)


def test_a_missing_reference_names_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "RESULTS", tmp_path)
    with pytest.raises(UserError, match=r"tables-nowhere\.json: no such reference; 'make study'"):
        records.reference("tables-nowhere")
