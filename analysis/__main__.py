"""`python -m analysis RESULTS_DIR [--output DIR]`: write the report and print its summary."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from analysis.evidence.console import SafeConsole, printable
from analysis.report import InputError, summary_table, write_report


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 2 with one line on stderr for a directory that cannot be analysed."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis", description="Write the report of a results directory."
    )
    parser.add_argument("results_dir", type=Path, help="results/<study>/<lab>")
    parser.add_argument(
        "--output", type=Path, help="where to write (default: report/ in the results directory)"
    )
    options = parser.parse_args(arguments)
    try:
        paths = write_report(options.results_dir, options.output)
    except InputError as error:
        print(printable(f"error: {error}"), file=sys.stderr)
        return 2
    console = SafeConsole(markup=False, emoji=False)
    for line in paths.summary.headline:
        console.print(line, highlight=False)
    console.print(summary_table(paths.summary))
    console.print(f"Report: {paths.html}", highlight=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
