"""Write docs/schemas/: JSON Schema of the study file and of a results directory's documents, from contract/.

Editors complete and check a file by its schema. `--check` writes nothing and fails, with one line for each
file, when a schema is missing or old.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from contract.records import LabRecord, RunRecord, StudyRecord
from contract.study_file import DerivedStudyFile, StudyFile

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "schemas"
RECORDS = {"study-file": StudyFile, "study": StudyRecord, "run": RunRecord, "lab": LabRecord}
# A study file may say nothing that is not known; a reader of results ignores keys of a later version.
CLOSED = ("study-file",)


def schema_of(name: str) -> str:
    """The text of one schema."""
    record = RECORDS[name]
    schema: dict[str, Any] = msgspec.json.schema(record)
    if record is StudyFile:
        # Of which of the two kinds a study file is, one key says.
        derived: dict[str, Any] = msgspec.json.schema(DerivedStudyFile)
        kinds = {
            "if": {"required": ["based_on"]},
            "then": {"$ref": derived["$ref"]},
            "else": {"$ref": schema["$ref"]},
        }
        schema = {**kinds, "$defs": {**derived["$defs"], **schema["$defs"]}}
    for definition in schema["$defs"].values():
        if name in CLOSED and "properties" in definition:
            definition["additionalProperties"] = False
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$comment": "Made by `make docs`."}
    return json.dumps({**head, **schema}, indent=1) + "\n"


def main() -> int:
    """Write or check the schemas; returns the exit code."""
    parser = argparse.ArgumentParser(description="Write docs/schemas/.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail when a schema is out of date"
    )
    check = parser.parse_args().check
    old = False
    for name in RECORDS:
        path, text = FOLDER / f"{name}.json", schema_of(name)
        if path.exists() and path.read_text() == text:
            continue
        shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
        if check:
            old = True
            print(f"{shown}: out of date; run `make docs`", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {shown}")
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main())
