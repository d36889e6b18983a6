"""``python -m advance_bench``: how fast this machine trains, beside its limits, measured and kept as JSON."""

import argparse
import os
import sys
from pathlib import Path

from advance_lib.cache import UserError, build_folder, write_json


def main(argv: list[str] | None = None) -> int:
    """Run the command line; a problem that the user can mend is one clear message and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m advance_bench", description=__doc__.partition(": ")[2])
    parser.add_argument(
        "--profile", default=os.environ.get("ADVANCE_PROFILE", "mini"), help="smoke, mini or paper (default: mini)"
    )
    parser.add_argument(
        "--dataset",
        default=os.environ.get("ADVANCE_DATASET", "miniature"),
        help="miniature, advance, or a folder with vision/ and sound/ (default: miniature)",
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto (default: auto)")
    parser.add_argument("--short", action="store_true", help="for seconds only, to see that it runs")
    parser.add_argument(
        "--record", type=Path, help="file to write (default: results/bench-DEVICE.json, the build folder for --short)"
    )
    arguments = parser.parse_args(argv)

    from advance_bench.speed import bench
    from advance_lib.analysis.records import RESULTS, commit
    from advance_lib.training.devices import accelerator

    try:
        found = bench(arguments.profile, arguments.dataset, arguments.device, arguments.short)
        kept = build_folder() if arguments.short else RESULTS
        path = arguments.record or kept / f"bench-{accelerator(arguments.device)}.json"
        write_json(path, {"commit": commit()} | found)
    except UserError as error:
        print(f"advance_bench: {error}", file=sys.stderr)
        return 2
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
