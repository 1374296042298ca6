"""The report of one results directory: the public interface of the analysis.

    paths = write_report(Path("results/quick/local"), None)
    console.print(summary_table(paths.summary))

All functions raise analysis.evidence.errors.InputError (one line) for a directory that cannot be analysed.
"""

from analysis.evidence.errors import InputError
from analysis.report.overview import Summary, summarise, summary
from analysis.report.terminal import summary_table
from analysis.report.write import AppendixPath, ReportPaths, write_appendix, write_report

__all__ = [
    "AppendixPath",
    "InputError",
    "ReportPaths",
    "Summary",
    "summarise",
    "summary",
    "summary_table",
    "write_appendix",
    "write_report",
]
