"""Write what is generated: roles' READMEs, and docs/ pages of roles, modules, deviations and faults.

The one source is a role's meta/argument_specs.yml, a module's DOCUMENTATION, playbooks/vars/deviations.yml,
and for faults what `make test-faults` saw (docs/faults.json).
`--check` writes nothing and fails, with one line for each file, when a page is missing, old or of something
that is gone, or when a role's defaults/main.yml and its argument specs disagree.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import yaml

PROJECT = Path(__file__).resolve().parent.parent
MODULES = Path("collection/ansible_collections/postcopy/lab/plugins/modules")
SOURCE_NOTE = "<!-- Made by `make docs` from {source}. -->"

OPTIONS = """\
{% macro table(options) %}
| name | type | default | meaning |
|---|---|---|---|
{% for name, option in (options | with_parts).items() %}
| `{{ name }}` | {{ option | kind }} | {{ option | default_of }} | {{ option.description | prose | cell }} |
{% endfor %}
{% endmacro %}
"""

ROLE_PAGE = (
    OPTIONS
    + """\
{{ note }}
# Role {{ name }}

{% for entry, spec in specs.items() %}
{% if entry != 'main' %}
## Entry point `{{ entry }}`

{% endif %}
{{ spec.short_description | prose }}.

{% for paragraph in spec.description | paragraphs %}
{{ paragraph | prose }}

{% endfor %}
{% if spec.options %}
{{ table(spec.options) }}
{% endif %}
{% endfor %}
"""
)

ROLE_README = """\
{{ note }}
# Role {{ name }}

{% for entry, spec in specs.items() %}
{% if specs | length > 1 %}- `{{ entry }}`: {% endif %}
{{ spec.short_description | prose }}. {{ spec.description | paragraphs | first | default('') | prose }}
{% endfor %}

{% if example %}
```yaml
{{ example }}
```

{% endif %}
- Options: [docs/roles/{{ name }}.md](../../docs/roles/{{ name }}.md)
{% for scenario in scenarios %}
- Scenario: [{{ scenario }}](molecule/{{ scenario }}), `molecule test --scenario-name {{ scenario }}`
{% endfor %}
"""

MODULE_PAGE = (
    OPTIONS
    + """\
{{ note }}
# Module postcopy.lab.{{ name }}

{{ doc.short_description | prose }}.

{% for paragraph in doc.description | paragraphs %}
{{ paragraph | prose }}

{% endfor %}
{% if doc.options %}
{{ table(doc.options) }}
{% endif %}
{% if examples %}
## Examples

```yaml
{{ examples }}
```

{% endif %}
{% if returned %}
## Returns

| key | type | meaning |
|---|---|---|
{% for key, value in returned.items() %}
| `{{ key }}` | {{ value.type }} | {{ value.description | prose | cell }} |
{% endfor %}
{% endif %}
"""
)

DEVIATIONS = Path("playbooks/vars/deviations.yml")
DEVIATIONS_PAGE = PROJECT / "tools/deviations.md.j2"
FAULTS = Path("docs/faults.json")
FAULTS_PAGE = PROJECT / "tools/faults.md.j2"
# What machines of their own are needed for, by a word of what is recorded then.
FAULTS_OF_MACHINES = {"clock": "a clock is wrong and drifts", "netem": "packets are lost and late"}
# Groups of faults as they are recorded, in the order of the page.
FAULT_TITLES = {
    "command": "The command and Ansible",
    "interrupt": "Interrupted by its user",
    "migration link": "The migration link",
    "hypervisor": "QEMU and libvirtd",
    "guest": "The guest",
    "probes": "Probes",
    "node": "A node",
    "disk": "A full disk",
    "files": "A file that is missing, or cut in the middle",
}


def paragraphs(text: str | list[str] | None) -> list[str]:
    """Return a description as a list, however it was written."""
    return [text] if isinstance(text, str) else list(text or [])


def prose(text: str | list[str] | None) -> str:
    """Return text with Ansible's markup as Markdown: C, V, O, M, E, P as code, I and B as emphasis."""
    joined = " ".join(" ".join(paragraphs(text)).split())
    joined = re.sub(r"\b[CVOMEP]\(([^)]*)\)", r"`\1`", joined)
    return re.sub(r"\b[IB]\(([^)]*)\)", r"*\1*", joined)


def cell(text: str) -> str:
    """Return text fit for a cell of a table."""
    return text.replace("|", "\\|")


def kind(option: Mapping[str, Any]) -> str:
    """Return an option's type in words, with its choices."""
    words = str(option.get("type", "str"))
    if "elements" in option:
        words += f" of {option['elements']}"
    if "choices" in option:
        words += ": " + ", ".join(f"`{choice}`" for choice in option["choices"])
    return cell(words)


def default_of(option: Mapping[str, Any]) -> str:
    """Return an option's default as YAML, "required" or nothing."""
    if option.get("required"):
        return "required"
    if "default" not in option:
        return ""
    text = yaml.safe_dump(option["default"], default_flow_style=True, width=1000).strip()
    return cell(f"`{text.removesuffix('...').strip()}`")


def with_parts(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with those inside of them, called NAME.PART, or NAME[].PART in a list."""
    found: dict[str, Any] = {}
    for name, option in options.items():
        found[name] = option
        inside = with_parts(option.get("options") or {})
        mark = "[]" if option.get("type") == "list" else ""
        found.update({f"{name}{mark}.{part}": value for part, value in inside.items()})
    return found


def environment() -> jinja2.Environment:
    """Return Jinja2 with this file's filters."""
    result = jinja2.Environment(
        trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined, autoescape=False
    )
    result.filters.update(
        paragraphs=paragraphs,
        prose=prose,
        cell=cell,
        kind=kind,
        default_of=default_of,
        with_parts=with_parts,
        run_words=run_words,
        said=said,
    )
    return result


def tidy(text: str) -> str:
    """Return text without runs of empty lines and with one newline at its end."""
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def role_text(template: str, role: Path, **words: Any) -> str:
    """Return a text about a role, made of its argument specs."""
    source = role / "meta/argument_specs.yml"
    specs = yaml.safe_load(source.read_text())["argument_specs"]
    for spec in specs.values():
        spec.setdefault("description", [])
        spec.setdefault("options", {})
    note = SOURCE_NOTE.format(source=source.relative_to(PROJECT))
    return tidy(environment().from_string(template).render(note=note, name=role.name, specs=specs, **words))


def role_readme(role: Path) -> str:
    """Return the README of a role: what it does, how its scenario calls it, its scenarios."""
    play = role / "molecule/default/converge.yml"
    plays = re.split(r"^(?=- )", play.read_text(), flags=re.M) if play.exists() else [""]
    scenarios = sorted(path.parent.name for path in role.glob("molecule/*/molecule.yml"))
    return role_text(ROLE_README, role, example=plays[-1].strip(), scenarios=scenarios)


def constants(source: Path) -> dict[str, str]:
    """Return the string constants of a Python file's top level."""
    found: dict[str, str] = {}
    for node in ast.parse(source.read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            for target in node.targets:
                if isinstance(target, ast.Name) and isinstance(node.value.value, str):
                    found[target.id] = node.value.value
    return found


def module_page(source: Path) -> str:
    """Return the page of a module."""
    texts = constants(source)
    return tidy(
        environment()
        .from_string(MODULE_PAGE)
        .render(
            note=SOURCE_NOTE.format(source=source.relative_to(PROJECT)),
            name=source.stem,
            doc={"options": {}, **yaml.safe_load(texts["DOCUMENTATION"])},
            examples=texts.get("EXAMPLES", "").strip(),
            returned=yaml.safe_load(texts.get("RETURN", "")) or {},
        )
    )


def deviations_page() -> str:
    """Return the page of the deviations from the article."""
    deviations = yaml.safe_load((PROJECT / DEVIATIONS).read_text())["study_deviations"]
    note = SOURCE_NOTE.format(source=DEVIATIONS)
    return tidy(
        environment().from_string(DEVIATIONS_PAGE.read_text()).render(note=note, deviations=deviations)
    )


def run_words(run: Mapping[str, Any] | None) -> str:
    """Return what became of a run that was struck."""
    if run is None:
        return "none: made anew"
    words = str(run["outcome"]) + (f" ({run['cause']})" if run["cause"] else "")
    return words if run.get("valid", True) else f"{words}, invalid: {run['invalid_reason']}"


def said(line: str) -> str:
    """Return what a line of the command says, without the name and the time of the run."""
    return re.sub(r"^\W*run \d+/\d+ +\S+ +\d+ +(\d+ min )?[\d.]+ s +", "", line)


def faults_page() -> str:
    """Return the page of the faults that were provoked."""
    seen = list(json.loads((PROJECT / FAULTS).read_text()).values())
    groups = {group: [one for one in seen if one["group"] == group] for group in FAULT_TITLES}
    note = SOURCE_NOTE.format(source=FAULTS)
    template = environment().from_string(FAULTS_PAGE.read_text())
    compared = max(one["earlier_files"] for one in seen)
    elsewhere = {
        word: words
        for word, words in FAULTS_OF_MACHINES.items()
        if not any(word in one["fault"] for one in seen)
    }
    words = {"groups": groups, "titles": FAULT_TITLES, "compared": compared, "elsewhere": elsewhere}
    return tidy(template.render(note=note, **words))


def pages() -> dict[Path, str]:
    """Return every page that there should be, by its path."""
    roles = sorted(path.parents[1] for path in PROJECT.glob("roles/*/meta/argument_specs.yml"))
    modules = sorted(path for path in (PROJECT / MODULES).glob("*.py") if path.name != "__init__.py")
    return {
        PROJECT / "docs/deviations.md": deviations_page(),
        PROJECT / "docs/faults.md": faults_page(),
        **{PROJECT / f"docs/roles/{role.name}.md": role_text(ROLE_PAGE, role) for role in roles},
        **{role / "README.md": role_readme(role) for role in roles},
        **{PROJECT / f"docs/modules/{module.stem}.md": module_page(module) for module in modules},
    }


def yaml_of(path: Path) -> dict[str, Any]:
    """Return a role's variables, nothing where it has no such file."""
    return (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}


def disagreements() -> list[str]:
    """Return one line for each default that a role has and its argument specs do not say, or say otherwise.

    Defaults that are templates are made from other variables; the specs describe them in words. Defaults of
    the parts of the option NAME are __NAME_defaults in vars/main.yml.
    """
    lines = []
    for path in sorted(PROJECT.glob("roles/*/meta/argument_specs.yml")):
        role = path.parents[1]
        options: dict[str, Any] = {}
        for spec in yaml.safe_load(path.read_text())["argument_specs"].values():
            options.update(spec.get("options") or {})
        defaults = {name: ("defaults", value) for name, value in yaml_of(role / "defaults/main.yml").items()}
        internal = yaml_of(role / "vars/main.yml")
        for name in list(options):
            inside = internal.get(f"__{name}_defaults", {})
            defaults.update({f"{name}.{part}": ("vars", value) for part, value in inside.items()})
        shown = path.relative_to(PROJECT)
        options = with_parts(options)
        for name, (folder, value) in defaults.items():
            if name not in options:
                lines.append(f"{shown}: {name} is missing (it is in {folder}/main.yml)")
            elif "{{" not in str(value) and options[name].get("default") != value:
                lines.append(
                    f"{shown}: default of {name} is {options[name].get('default')!r}, "
                    f"in {folder}/main.yml {value!r}"
                )
    return lines


def main() -> int:
    """Write or check the pages; returns the exit code."""
    parser = argparse.ArgumentParser(description="Write what is generated of docs/.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail when something is out of date"
    )
    check = parser.parse_args().check
    wanted = pages()
    existing = {path for folder in ("roles", "modules") for path in (PROJECT / "docs" / folder).glob("*.md")}
    existing |= {path for path in wanted if path.exists()}
    lines = disagreements()
    for path, text in wanted.items():
        if path in existing and path.read_text() == text:
            continue
        if check:
            lines.append(f"{path.relative_to(PROJECT)}: out of date; run `make docs`")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {path.relative_to(PROJECT)}")
    for path in sorted(existing - set(wanted)):
        if check:
            lines.append(f"{path.relative_to(PROJECT)}: nothing has this name any more; run `make docs`")
        else:
            path.unlink()
            print(f"removed {path.relative_to(PROJECT)}")
    for line in lines:
        print(line, file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
