"""Compare runs that were trained twice with the same seeds, on two machines.

``python workflow/twice.py FOLDER FOLDER RECORD``; the folders hold answers as `answers.keep` writes them. ``rows``
of the record say what each run scored the first and the second time.
"""

import sys
from pathlib import Path

from advance_lib.analysis.records import code_key, commit
from advance_lib.cache import write_json
from advance_lib.experiments.answers import about


def compared(first: Path, second: Path) -> dict:
    """Return the record of the runs that both folders have."""
    rows, seconds, devices = [], 0.0, []
    for name in sorted(file.name for file in first.glob("*.parquet") if (second / file.name).exists()):
        once, again = about(first / name), about(second / name)
        asked, environment = once["config"]["request"], once["config"]["environment"]
        devices += [said["config"]["environment"]["device"] for said in (once, again)]
        seconds += once["metrics"]["seconds"] + again["metrics"]["seconds"]
        for split in once["metrics"]["scores"]:
            scores = [round(said["metrics"]["scores"][split]["fscore"], 4) for said in (once, again)]
            row = {part: asked[part] for part in ("cell", "alpha", "seed")} | {"split": split}
            rows.append(row | dict(zip(("first", "second"), scores, strict=True)))
    return {
        "what": "Runs that were trained twice with the same seeds",
        "data": asked["settings"]["dataset"],
        "data_hash": once["config"]["data"],
        "profile": asked["settings"]["profile"],
        "seeds": sorted({row["seed"] for row in rows}),
        "commit": commit(),
        "code_key": code_key(asked["settings"]["profile"]),
        "environment": environment | {"device": " and ".join(dict.fromkeys(devices))},
        "minutes of training": round(seconds / 60, 1),
        "rows": rows,
    }


if __name__ == "__main__":
    write_json(Path(sys.argv[3]), compared(Path(sys.argv[1]), Path(sys.argv[2])))
