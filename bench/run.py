"""Measures lineread beside its peers and prints one table: `make bench`.

    python bench/run.py [--only CASE ...] [--runs N] [--quick]

All samples of a row and of its neighbours are taken in turns, on whatever machine this is; a ratio is the median of
the pairs' ratios. The table also goes to bench/results/<date>.json, with all samples, the machine and the versions.
Ends with status 1 when something could not be measured. A missed reach is marked, not an error: on a busy machine it
may be the machine's.
"""

from __future__ import annotations

import argparse
import sys
from datetime import datetime

import report
from cases import cloud, imports, kokoro, line, live, memory, serve, store, voice
from measure import Case, Outcome, Scale, measured
from processes import HERE

CASES = (
    memory.CASE,  # before this process has grown: a child begins with its size
    imports.CASE,
    line.CASE,
    cloud.SEQUENTIAL,
    cloud.PARALLEL,
    voice.CASE,
    kokoro.CASE,
    store.CASE,
    serve.FIRST,
    serve.CACHED,
    serve.CROWD,
    serve.MEMORY,
    live.FIRST,
    live.CROWD,
)


def main() -> int:
    arguments = _arguments()
    chosen = [case for case in CASES if not arguments.only or case.name in arguments.only]
    began = datetime.now().astimezone()
    outcomes = [_measured(case, arguments) for case in chosen]
    print(report.table(outcomes))
    facts = report.record(outcomes, began)
    path = report.write(facts, HERE / "results", began.strftime("%Y-%m-%d-%H%M%S"))
    print(f"\n{report.circumstances(facts)}\n{path}")
    return 1 if any(outcome.error for outcome in outcomes) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure lineread beside its peers.")
    names = [case.name for case in CASES]
    parser.add_argument("--only", action="append", choices=names, metavar="CASE", help=f"one of {', '.join(names)}")
    parser.add_argument("--runs", type=int, metavar="N", help="rounds of each case, instead of its own number")
    parser.add_argument("--quick", action="store_true", help="few and small rounds, to see that everything runs")
    return parser.parse_args()


def _measured(case: Case, arguments: argparse.Namespace) -> Outcome:
    rounds = arguments.runs or (case.quick_rounds if arguments.quick else case.rounds)
    print(f"{case.name}: {rounds} rounds", file=sys.stderr)
    return measured(case, Scale(rounds, arguments.quick))


if __name__ == "__main__":
    sys.exit(main())
