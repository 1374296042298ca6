# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""A study: what a study file may say, the cases and the order of runs that follow from it.

Pure functions over the parsed file (plain dicts and lists); reading files is study_files.py's business.
Whatever is wrong raises StudyError, whose text is one line naming the file, the key and what is allowed.
Sizes are bytes unless a name says mib, times are seconds, rates are bits per second.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import fnmatch
import hashlib
import itertools
import re

SCHEMA = 1
MODES = ("precopy", "hybrid", "postcopy")
STRESSORS = ("stress", "stress-ng")
BACKENDS = ("libvirt", "nova")
# What becomes of the news that the guest has moved: as usual; the switch holds the guest's address at the
# source's port, whatever it hears; or it hears nothing of the guest until some time after the migration.
NETWORKS = ("plain", "held_entry", "late_announcement")
# Everything, or ping and byte counters only: what the others cost is a question of its own.
PROBES = ("all", "basic")
MIB = 1024 * 1024
# A year of runs of 5 minutes.
MOST_RUNS = 100000

STUDY_KEYS = (
    "schema",
    "name",
    "title",
    "reference",
    "repetitions",
    "order_seed",
    "flavors",
    "defaults",
    "matrix",
)
OPTIONAL_STUDY_KEYS = ("reference", "defaults")
FLAVOR_KEYS = ("vcpus", "ram_mib")
DEFAULTS = {
    "stressor": "stress",
    "link_rate": "1gbit",
    "limit_seconds": 120,
    "pattern_mib": 32,
    "network": "plain",
    "probes": "all",
}
LIST_KEYS = (
    "mode",
    "flavor",
    "stressor",
    "stress_threads",
    "stress_thread_mib",
    "link_rate",
    "network",
    "probes",
)
# All that make a case, but for the size of a thread, of which there may be none.
CHOICE_KEYS = tuple(key for key in LIST_KEYS if key != "stress_thread_mib")
SCALAR_KEYS = ("table", "limit_seconds", "pattern_mib")
REQUIRED_BLOCK_KEYS = ("mode", "flavor", "stress_threads")

NAME_PATTERN = re.compile(r"^[a-z0-9]+([-_.][a-z0-9]+)*\Z")
RATE_PATTERN = re.compile(r"^([0-9]{1,9}(?:\.[0-9]{1,9})?)(kbit|mbit|gbit)\Z")
# tc's units: kbit, mbit and gbit are powers of 1000 (man tc, section PARAMETERS).
RATE_UNITS = {"kbit": 10**3, "mbit": 10**6, "gbit": 10**9}
RATE_FORM = "a number above 0 with kbit, mbit or gbit, for example 1gbit or 200mbit"

# What a case of an older study.json does not say.
YOUNGER_KEYS = {"network": "plain", "probes": "all"}

# What a guest needs beside its stressed memory, measured with QEMU 10.0 under TCG: QEMU itself with its
# translation buffer, and the guest's kernel, whose page structures take 64 bytes for each page of 4096.
GUEST_BASE_BYTES = 384 * MIB
PAGE_STRUCTURES_SHARE = 64.0 / 4096.0
# Below this a guest has no room for its kernel and its init.
GUEST_SYSTEM_MIB = 160


class StudyError(ValueError):
    """Something in a study (file, selection or results directory) cannot be used; one line of text."""


def _fail(source, key, problem, allowed=None):
    text = "%s: %s: %s" % (source, key, problem)
    if allowed is not None:
        if isinstance(allowed, (list, tuple)):
            allowed = ", ".join(str(item) for item in allowed)
        text += " (allowed: %s)" % allowed
    raise StudyError(text)


def _show(value):
    known = isinstance(value, (bool, int, float, list, tuple, dict)) or value is None or _is_text(value)
    text = repr(value) if known else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value):
    return isinstance(value, ("".__class__, "".__class__))


def _require_mapping(source, key, value, allowed_keys):
    if not isinstance(value, dict):
        _fail(source, key, "must be a mapping, not %s" % _show(value), allowed_keys)


def _check_keys(source, prefix, mapping, allowed, required):
    for key in mapping:
        if key not in allowed:
            _fail(source, "%s%s" % (prefix, key), "unknown key", allowed)
    for key in required:
        if key not in mapping:
            _fail(source, "%s%s" % (prefix, key), "is missing", allowed)


def _check_int(source, key, value, low, high):
    if not _is_int(value) or not low <= value <= high:
        _fail(source, key, "%s is not allowed" % _show(value), "a whole number from %d to %d" % (low, high))
    return value


def _check_choice(source, key, value, allowed):
    if not _is_text(value) or value not in allowed:
        _fail(source, key, "%s is not allowed" % _show(value), allowed)
    return value


def _check_seconds(source, key, value):
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value <= 86400:
        _fail(source, key, "%s is not allowed" % _show(value), "seconds from 1 to 86400")
    return value


def rate_bits_per_second(rate, source="link rate", key="link_rate"):
    """Bits per second of a rate in tc's form ("1gbit"); StudyError for 0, a word or another unit."""
    match = RATE_PATTERN.match(rate) if _is_text(rate) else None
    if match is None:
        _fail(source, key, "%s is not allowed" % _show(rate), RATE_FORM)
    bits = int(float(match.group(1)) * RATE_UNITS[match.group(2)] + 0.5)
    if bits <= 0:
        _fail(source, key, "%s is not allowed" % _show(rate), RATE_FORM)
    return bits


def validate(document, source, name=None):
    """Check a parsed study file and return it with every default filled in.

    :param document: what the YAML file holds
    :param source: the file's name, for messages
    :param name: the name the study must have (the file's name without its ending), None for any
    """
    if not isinstance(document, dict):
        raise StudyError("%s: must be a mapping with the keys %s" % (source, ", ".join(STUDY_KEYS)))
    required = [key for key in STUDY_KEYS if key not in OPTIONAL_STUDY_KEYS]
    _check_keys(source, "", document, STUDY_KEYS, required)
    if document["schema"] != SCHEMA or isinstance(document["schema"], bool):
        _fail(source, "schema", "%s is not allowed" % _show(document["schema"]), SCHEMA)
    if not _is_text(document["name"]) or not NAME_PATTERN.match(document["name"]):
        _fail(
            source,
            "name",
            "%s is not allowed" % _show(document["name"]),
            "lower-case letters and digits, joined by - _ or .",
        )
    if name is not None and document["name"] != name:
        _fail(source, "name", "%s differs from the file's name" % _show(document["name"]), name)
    title = document["title"]
    if not _is_text(title) or not title.strip() or len(title) > 200 or len(title.splitlines()) > 1:
        _fail(
            source, "title", "%s is not allowed" % _show(title), "a text of one line, 200 characters at most"
        )
    reference = document.get("reference")
    if reference is not None and (not _is_text(reference) or not NAME_PATTERN.match(reference)):
        _fail(
            source,
            "reference",
            "%s is not allowed" % _show(reference),
            "the name of a published data set, or null",
        )
    study = {
        "schema": SCHEMA,
        "name": document["name"],
        "title": title,
        "reference": reference,
        "repetitions": _check_int(source, "repetitions", document["repetitions"], 1, 999),
        "order_seed": _check_int(source, "order_seed", document["order_seed"], 0, 2**31 - 1),
        "flavors": _validate_flavors(document["flavors"], source),
        "defaults": _validate_defaults(document.get("defaults"), source),
    }
    study["matrix"] = _validate_matrix(document["matrix"], study, source)
    return study


def _validate_flavors(flavors, source):
    _require_mapping(source, "flavors", flavors, "flavor names, each with " + " and ".join(FLAVOR_KEYS))
    if not flavors:
        _fail(source, "flavors", "is empty", "flavor names, each with " + " and ".join(FLAVOR_KEYS))
    checked = {}
    for flavor, figures in flavors.items():
        key = "flavors.%s" % flavor
        if not _is_text(flavor) or not NAME_PATTERN.match(flavor) or "-" in flavor:
            _fail(source, key, "is not a flavor's name", "lower-case letters and digits")
        _require_mapping(source, key, figures, FLAVOR_KEYS)
        _check_keys(source, key + ".", figures, FLAVOR_KEYS, FLAVOR_KEYS)
        checked[flavor] = {
            "vcpus": _check_int(source, key + ".vcpus", figures["vcpus"], 1, 255),
            "ram_mib": _check_int(source, key + ".ram_mib", figures["ram_mib"], 256, 1024 * 1024),
        }
    return checked


def _validate_defaults(defaults, source):
    if defaults is None:
        return dict(DEFAULTS)
    allowed = sorted(DEFAULTS)
    _require_mapping(source, "defaults", defaults, allowed)
    _check_keys(source, "defaults.", defaults, allowed, ())
    merged = dict(DEFAULTS, **defaults)
    _check_choice(source, "defaults.stressor", merged["stressor"], STRESSORS)
    rate_bits_per_second(merged["link_rate"], source, "defaults.link_rate")
    _check_seconds(source, "defaults.limit_seconds", merged["limit_seconds"])
    _check_int(source, "defaults.pattern_mib", merged["pattern_mib"], 0, 65536)
    _check_choice(source, "defaults.network", merged["network"], NETWORKS)
    _check_choice(source, "defaults.probes", merged["probes"], PROBES)
    return merged


def _validate_matrix(matrix, study, source):
    if not isinstance(matrix, list) or not matrix:
        _fail(
            source,
            "matrix",
            "must be a list of at least one block, not %s" % _show(matrix),
            LIST_KEYS + SCALAR_KEYS,
        )
    return [_validate_block(block, "matrix[%d]" % index, study, source) for index, block in enumerate(matrix)]


def _validate_block(block, prefix, study, source):
    """One block of the matrix with its lists made explicit and the study's defaults filled in."""
    allowed = LIST_KEYS + SCALAR_KEYS
    _require_mapping(source, prefix, block, allowed)
    _check_keys(source, prefix + ".", block, allowed, REQUIRED_BLOCK_KEYS)
    defaults = study["defaults"]
    lists = {}
    for key in LIST_KEYS:
        value = block.get(key, [defaults[key]] if key in defaults else [])
        value = value if isinstance(value, list) else [value]
        if key in block and not value:
            _fail(source, "%s.%s" % (prefix, key), "is an empty list", "one value or more")
        lists[key] = value

    def key_of(name):
        return "%s.%s" % (prefix, name)

    for mode in lists["mode"]:
        _check_choice(source, key_of("mode"), mode, MODES)
    for flavor in lists["flavor"]:
        _check_choice(source, key_of("flavor"), flavor, sorted(study["flavors"]))
    for stressor in lists["stressor"]:
        _check_choice(source, key_of("stressor"), stressor, STRESSORS)
    for threads in lists["stress_threads"]:
        _check_int(source, key_of("stress_threads"), threads, 0, 1024)
    for size in lists["stress_thread_mib"]:
        _check_int(source, key_of("stress_thread_mib"), size, 1, 1024 * 1024)
    for rate in lists["link_rate"]:
        rate_bits_per_second(rate, source, key_of("link_rate"))
    for network in lists["network"]:
        _check_choice(source, key_of("network"), network, NETWORKS)
    for probes in lists["probes"]:
        _check_choice(source, key_of("probes"), probes, PROBES)
    if any(lists["stress_threads"]) and not lists["stress_thread_mib"]:
        _fail(
            source,
            key_of("stress_thread_mib"),
            "is missing: stress_threads asks for threads",
            "MiB for each thread",
        )
    table = block.get("table")
    if table is not None and (not _is_text(table) or not NAME_PATTERN.match(table)):
        _fail(
            source,
            key_of("table"),
            "%s is not allowed" % _show(table),
            "the name of a published table, or null",
        )
    checked = dict(lists, table=table)
    checked["limit_seconds"] = _check_seconds(
        source, key_of("limit_seconds"), block.get("limit_seconds", defaults["limit_seconds"])
    )
    checked["pattern_mib"] = _check_int(
        source, key_of("pattern_mib"), block.get("pattern_mib", defaults["pattern_mib"]), 0, 65536
    )
    return checked


def case_name(spec):
    """The id of a case: hybrid-s-stress-2x256mib-1gbit, or hybrid-s-unloaded-1gbit-held-entry."""
    load = "unloaded"
    if spec["stress_threads"]:
        load = "%s-%dx%dmib" % (spec["stressor"], spec["stress_threads"], spec["stress_thread_bytes"] // MIB)
    words = [spec["mode"], spec["flavor"], load, spec["link_rate"]]
    # What is as usual is not said.
    if spec["network"] != "plain":
        words.append(spec["network"].replace("_", "-"))
    if spec["probes"] != "all":
        words.append("%s-probes" % spec["probes"])
    return "-".join(words)


def resolve_cases(study, source, backend="libvirt"):
    """All cases of a validated study, in the file's order: [{"case": id, "spec": {...}}, ...].

    StudyError for a case that appears twice, that asks for more memory than its flavor has, or for more runs
    than anyone waits for.
    """
    _check_choice("lab_backend", "lab_backend", backend, BACKENDS)
    cases = []
    seen = {}
    for index, block in enumerate(study["matrix"]):
        prefix = "matrix[%d]" % index
        for values in itertools.product(*[block[key] for key in CHOICE_KEYS]):
            choice = {key: values[place] for place, key in enumerate(CHOICE_KEYS)}
            for thread_mib in block["stress_thread_mib"] if choice["stress_threads"] else [0]:
                spec = _spec(study, block, dict(choice, stress_thread_mib=thread_mib), backend)
                name = case_name(spec)
                if name in seen:
                    if not spec["stress_threads"] and seen[name] == prefix:
                        continue  # a list of stressors does not multiply the unloaded case
                    _fail(source, prefix, "case %s is already in %s" % (name, seen[name]), "each case once")
                _check_fits(source, prefix, name, spec)
                seen[name] = prefix
                cases.append({"case": name, "spec": spec})
                if len(cases) * study["repetitions"] > MOST_RUNS:
                    _fail(
                        source,
                        prefix,
                        "the study has more than %d runs" % MOST_RUNS,
                        "fewer cases or repetitions",
                    )
    return cases


def _spec(study, block, choice, backend):
    """One case's specification.

    :param choice: one value of each of LIST_KEYS
    """
    figures = study["flavors"][choice["flavor"]]
    threads, thread_bytes = choice["stress_threads"], choice["stress_thread_mib"] * MIB
    return {
        "mode": choice["mode"],
        "flavor": choice["flavor"],
        "vcpus": figures["vcpus"],
        "ram_bytes": figures["ram_mib"] * MIB,
        "stressor": choice["stressor"] if threads else None,
        "stress_threads": threads,
        "stress_thread_bytes": thread_bytes,
        "stressed_bytes": threads * thread_bytes,
        "pattern_bytes": block["pattern_mib"] * MIB,
        "link_rate": choice["link_rate"],
        "link_rate_bits_per_second": rate_bits_per_second(choice["link_rate"]),
        "limit_seconds": block["limit_seconds"],
        "backend": backend,
        "table": block["table"],
        "network": choice["network"],
        "probes": choice["probes"],
    }


def _check_fits(source, prefix, name, spec):
    room = spec["ram_bytes"] - GUEST_SYSTEM_MIB * MIB - int(spec["ram_bytes"] * PAGE_STRUCTURES_SHARE)
    wanted = spec["stressed_bytes"] + spec["pattern_bytes"]
    if wanted > room:
        _fail(
            source,
            prefix,
            "case %s wants %d MiB of stressed memory and pattern in a guest of %d MiB"
            % (name, wanted // MIB, spec["ram_bytes"] // MIB),
            "up to %d MiB" % (room // MIB),
        )


def run_order(case_names, repetitions, order_seed):
    """The order of all runs: [[case, repetition], ...], repetitions counted from 1.

    Round by round, each round holds every case once in its own shuffled order, so that slow drifts of the
    lab spread over all cases. Sorting by a hash of seed, round and case gives the same order on every Python,
    and asking for more repetitions only appends rounds.
    """
    order = []
    for repetition in range(1, repetitions + 1):

        def shuffled(name, repetition=repetition):
            return hashlib.sha256(("%d:%d:%s" % (order_seed, repetition, name)).encode("ascii")).hexdigest()

        order.extend([name, repetition] for name in sorted(case_names, key=shuffled))
    return order


def select_cases(case_names, only, source="only"):
    """The cases that a selection names: comma-separated ids or patterns (* and ?); all for an empty one."""
    patterns = [part.strip() for part in (only or "").split(",") if part.strip()]
    if not patterns:
        return list(case_names)
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(name, pattern) for name in case_names):
            _fail(source, _show(pattern), "matches no case", case_names)
    return [name for name in case_names if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]


def pending_runs(order, finished, selected=None):
    """The runs of an order that are neither finished nor left out: [[case, repetition], ...].

    :param finished: set of (case, repetition) that have their run.json
    :param selected: names of the cases to run, None for all
    """
    return [
        [case, repetition]
        for case, repetition in order
        if (case, repetition) not in finished and (selected is None or case in selected)
    ]


def deal_cases(case_names, pair_count):
    """Which pair of computes runs which case: {case: pair index}; all runs of a case stay on one pair."""
    return {name: index % pair_count for index, name in enumerate(case_names)}


def needed_memory_bytes(spec):
    """Memory that one end of a migration takes on its host, with QEMU's own.

    Only memory that the guest has touched counts: page structures, kernel and stressed memory, not its RAM.
    """
    return int(
        GUEST_BASE_BYTES
        + spec["ram_bytes"] * PAGE_STRUCTURES_SHARE
        + spec["stressed_bytes"]
        + spec["pattern_bytes"]
    )


def check_memory(cases, computes, source):
    """Refuse a study that does not fit: StudyError naming its largest case, what it needs and what there is.

    :param computes: [{"name", "machine" (same text: same memory), "available_bytes"}], source and destination
    """
    largest = max(cases, key=lambda case: needed_memory_bytes(case["spec"]))
    needed = needed_memory_bytes(largest["spec"])
    for machine in sorted({compute["machine"] for compute in computes}):
        on_it = [compute for compute in computes if compute["machine"] == machine]
        available = min(compute["available_bytes"] for compute in on_it)
        if needed * len(on_it) > available:
            raise StudyError(
                "%s: case %s needs %d MiB of memory on the machine of %s, %d MiB are available "
                "(choose smaller cases with only=, or free memory)"
                % (
                    source,
                    largest["case"],
                    needed * len(on_it) // MIB,
                    " and ".join(sorted(compute["name"] for compute in on_it)),
                    available // MIB,
                )
            )


def plan_document(study, cases, order):
    """What study.json holds."""
    return {
        "schema": SCHEMA,
        "study": study,
        "cases": cases,
        "order": order,
        "order_seed": study["order_seed"],
    }


def check_same_study(existing, study, cases, source):
    """Refuse a results directory that holds another study; more or fewer repetitions are the same study.

    :param existing: parsed study.json of the results directory
    :param source: study.json's path, for messages
    """
    if not isinstance(existing, dict) or existing.get("schema") != SCHEMA:
        raise StudyError(
            "%s: is not a study.json of schema %d (choose another results directory)" % (source, SCHEMA)
        )
    theirs = existing.get("study") or {}
    for key in ("name", "order_seed"):
        if theirs.get(key) != study[key]:
            raise StudyError(
                "%s: %s: holds another study, %s instead of %s (choose another results directory)"
                % (source, key, _show(theirs.get(key)), _show(study[key]))
            )
    held = {case["case"]: dict(YOUNGER_KEYS, **case["spec"]) for case in existing.get("cases") or []}
    wanted = {case["case"]: case["spec"] for case in cases}
    for name in sorted(set(held) | set(wanted)):
        if held.get(name) != wanted.get(name):
            raise StudyError(
                "%s: cases: case %s differs from the study's (choose another results directory)"
                % (source, name)
            )


def check_same_lab(existing, lab, release, source):
    """Refuse a results directory of another lab or release: their figures must not be mixed.

    :param existing: parsed lab.json of the results directory
    :param source: lab.json's path, for messages
    """
    for key, wanted in (("lab", lab), ("release", release)):
        held = existing.get(key) if isinstance(existing, dict) else None
        if held != wanted:
            raise StudyError(
                "%s: %s: holds results of %s, not of %s (choose another results directory or lab_name)"
                % (source, key, _show(held), _show(wanted))
            )
