"""Every part, one after the other; the table of what ran under what. Ends with 1 when something failed or was left
out.
`python -m tests.odd_times [WORD…]` runs the parts with one of these words in their names."""

import sys

from tests.odd_times.parts import LEAST, Result, parts, run


def main(words: list[str]) -> int:
    results = []
    for part in parts():
        if not words or any(word in part.name for word in words):
            results.append(run(part))
            print("\n".join([*results[-1].faults, line(results[-1])]), flush=True)
    print("\n".join(["", *table(results)]))
    return 1 if not results or any(each.faults for each in results) else 0


def line(it: Result) -> str:
    return f"{it.part.name}: {'failed' if it.faults else 'passed'}, {it.passed}, {it.seconds:.0f} s"


def table(results: list[Result]) -> list[str]:
    """In Markdown."""
    heads = ["under", "zone", *LEAST, "seconds", ""]
    rows = [
        [
            it.part.name,
            it.part.oddity.zone,
            *(str(it.passed.get(folder, "-")) for folder in LEAST),
            f"{it.seconds:.0f}",
            "FAILED" if it.faults else "passed",
        ]
        for it in results
    ]
    return [f"| {' | '.join(row)} |" for row in (heads, ["---"] * len(heads), *rows)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
