"""`python -m tests.soak [--minutes N] [--seed N]`"""

import argparse
import asyncio
import sys

from bench.figures import table
from tests.soak import looks
from tests.soak.floors import floors
from tests.soak.soak import MOST_KEPT, MOST_LOGGED, Soaked, soak


def main() -> int:
    asked = argparse.ArgumentParser(prog="soak", description=__doc__)
    asked.add_argument("--minutes", type=float, default=60)
    asked.add_argument("--seed", type=int, default=0)
    given = asked.parse_args()
    soaked = asyncio.run(soak(given.minutes, given.seed))
    print(told(soaked))
    faults = soaked.faults()
    print("\n".join(["", f"{len(faults)} faults", *faults]))
    return 1 if faults else 0


def told(soaked: Soaked) -> str:
    least = floors(soaked.minutes)
    done = [[what, str(n), str(least.get(what, "-"))] for what, n in sorted(soaked.done.items())]
    held = [
        [it.what, f"{it.before:,.0f}", f"{it.after:,.0f}", f"{it.grown:+.1%}", f"+{it.most:.0%}"]
        for it in soaked.held()
    ]
    used = [[part, f"{looks.cpu(soaked.looks, part):.1%}"] for part in soaked.looks[0].cpu]
    logs = [[name, f"{n / 1e6:.2f}", f"{MOST_LOGGED[name] / 1e6:g}"] for name, n in soaked.logs().items()]
    kept = [[part, f"{n:+d}", str(MOST_KEPT)] for part, n in soaked.kept().items()]
    return "\n\n".join(
        [
            "",
            table([f"in {soaked.minutes:g} minutes", "done", "at least"], done),
            table(["held", "after the warm-up", "at the end", "more", "at most"], held),
            table(["descriptors kept when all have gone", "", "at most"], kept),
            table(["logged in an hour", "MB", "at most"], logs),
            table(["CPU", "of one core"], used),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
