"""What a study file may say, and what follows from it."""

import copy
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from contract.choices import Probes
from contract.records import Case
from control import study as rules
from control import study_files

STUDIES = Path(__file__).parents[3] / "studies"
MIB = 1024 * 1024


def small_study() -> dict[str, Any]:
    return {
        "schema": 1,
        "name": "small",
        "title": "A small study",
        "reference": None,
        "repetitions": 2,
        "order_seed": 7,
        "flavors": {"s": {"vcpus": 1, "ram_mib": 2048}},
        "defaults": {"pattern_mib": 4},
        "matrix": [
            {"mode": ["hybrid", "precopy"], "flavor": ["s"], "stress_threads": [0]},
            {
                "mode": "hybrid",
                "flavor": "s",
                "stress_threads": [1, 2],
                "stress_thread_mib": 256,
                "table": "table3",
            },
        ],
    }


def resolved(document: dict[str, Any]) -> list[dict[str, Any]]:
    cases = rules.resolve_cases(rules.validate(document, "small.yml", "small"), "small.yml")
    plain: list[dict[str, Any]] = msgspec.to_builtins(cases)
    return plain


def test_cases_are_the_cross_product_of_each_block() -> None:
    assert [case["case"] for case in resolved(small_study())] == [
        "hybrid-s-unloaded-1gbit",
        "precopy-s-unloaded-1gbit",
        "hybrid-s-stress-1x256mib-1gbit",
        "hybrid-s-stress-2x256mib-1gbit",
    ]


def test_a_spec_says_everything_that_a_run_needs() -> None:
    assert resolved(small_study())[3]["spec"] == {
        "mode": "hybrid",
        "flavor": "s",
        "vcpus": 1,
        "ram_bytes": 2048 * MIB,
        "stressor": "stress",
        "stress_threads": 2,
        "stress_thread_bytes": 256 * MIB,
        "stressed_bytes": 512 * MIB,
        "pattern_bytes": 4 * MIB,
        "link_rate": "1gbit",
        "link_rate_bits_per_second": 10**9,
        "limit_seconds": 120,
        "max_downtime_ms": 1,
        "postcopy_recovery_seconds": 0,
        "backend": "libvirt",
        "table": "table3",
        "network": "plain",
        "probes": "all",
        "switchover_by": "libvirt",
        "scale": 1.0,
    }


def test_what_is_not_as_usual_is_in_a_cases_name() -> None:
    study = small_study()
    study["matrix"] = [
        {
            "mode": "hybrid",
            "flavor": "s",
            "stress_threads": 0,
            "network": ["plain", "stale_fdb", "delayed_announcement"],
            "probes": ["all", "basic"],
        }
    ]
    assert [case["case"] for case in resolved(study)] == [
        "hybrid-s-unloaded-1gbit",
        "hybrid-s-unloaded-1gbit-basic-probes",
        "hybrid-s-unloaded-1gbit-stale-fdb",
        "hybrid-s-unloaded-1gbit-stale-fdb-basic-probes",
        "hybrid-s-unloaded-1gbit-delayed-announcement",
        "hybrid-s-unloaded-1gbit-delayed-announcement-basic-probes",
    ]


def with_downtimes(**changes: Any) -> dict[str, Any]:
    study = small_study()
    study["matrix"] = [{"mode": ["hybrid", "precopy"], "flavor": "s", "stress_threads": 0, **changes}]
    return study


def test_the_allowed_downtime_is_a_dimension_whose_usual_value_depends_on_mode_and_backend() -> None:
    both = with_downtimes(max_downtime_ms=[1, "native", 500])
    assert {case["case"]: case["spec"]["max_downtime_ms"] for case in resolved(both)} == {
        "hybrid-s-unloaded-1gbit": 1,
        "hybrid-s-unloaded-1gbit-native-downtime": "native",
        "hybrid-s-unloaded-1gbit-500ms-downtime": 500,
        "precopy-s-unloaded-1gbit-1ms-downtime": 1,
        "precopy-s-unloaded-1gbit": "native",
        "precopy-s-unloaded-1gbit-500ms-downtime": 500,
    }
    usual = rules.validate(with_downtimes(), "small.yml", "small")
    for backend, hybrid in (("libvirt", 1), ("nova", "native")):
        cases = rules.resolve_cases(usual, "small.yml", backend)
        assert [case.spec.max_downtime_ms for case in cases] == [hybrid, "native"]
        assert [case.case for case in cases] == ["hybrid-s-unloaded-1gbit", "precopy-s-unloaded-1gbit"]


def test_a_block_says_another_allowed_downtime_than_the_studys_defaults() -> None:
    study = with_downtimes()
    study["defaults"]["max_downtime_ms"] = "native"
    study["matrix"].append({**study["matrix"][0], "max_downtime_ms": 20})
    assert [case["spec"]["max_downtime_ms"] for case in resolved(study)] == ["native", "native", 20, 20]


def test_a_scaled_study_has_smaller_memory_and_a_slower_link() -> None:
    """By 4: what takes a time takes the same time."""
    published, scaled = small_study(), {**small_study(), "scale": 4}
    for whole, part in zip(resolved(published), resolved(scaled), strict=True):
        for key in (
            "ram_bytes",
            "stress_thread_bytes",
            "stressed_bytes",
            "pattern_bytes",
            "link_rate_bits_per_second",
        ):
            assert part["spec"][key] * 4 == whole["spec"][key], key
        assert (part["spec"]["scale"], part["spec"]["limit_seconds"]) == (4, whole["spec"]["limit_seconds"])
    assert [case["case"] for case in resolved(scaled)] == [
        "hybrid-s-unloaded-250mbit",
        "precopy-s-unloaded-250mbit",
        "hybrid-s-stress-1x64mib-250mbit",
        "hybrid-s-stress-2x64mib-250mbit",
    ]


def test_a_scale_that_divides_nothing_cuts_to_whole_pages() -> None:
    case = resolved({**small_study(), "scale": 3})[3]
    assert case["case"] == "hybrid-s-stress-2x85.33mib-333.333mbit"
    assert case["spec"]["stress_thread_bytes"] % 4096 == 0
    assert case["spec"]["ram_bytes"] == 682 * MIB


@pytest.mark.parametrize("value", [0, 0.5, 101, "4", True])
def test_no_other_scale_is_taken(value: object) -> None:
    with pytest.raises(rules.StudyError, match=r"small.yml: scale: .* \(allowed: a number from 1 to 100\)"):
        rules.validate({**small_study(), "scale": value}, "small.yml")


def test_a_scale_may_be_left_to_a_probe_of_the_lab() -> None:
    study = rules.validate({**small_study(), "scale": "probe"}, "small.yml")
    with pytest.raises(
        rules.StudyError, match=r"small.yml: scale: no probe .*\(allowed: postcopy-lab study, "
    ):
        rules.resolve_cases(study, "small.yml")
    probed = rules.at_scale(study, 3, "small.yml")
    assert {case.spec.scale for case in rules.resolve_cases(probed, "small.yml")} == {3}
    with pytest.raises(rules.StudyError, match=r"small.yml: scale: 3 is given, but the study has its own, 3"):
        rules.at_scale(probed, 3, "small.yml")
    with pytest.raises(
        rules.StudyError, match=r"small.yml: scale: 0.5 is not allowed \(allowed: a number from 1"
    ):
        rules.at_scale(study, 0.5, "small.yml")


def test_a_scale_at_which_the_guests_own_memory_outweighs_the_stressed_is_refused() -> None:
    """Its 250 MiB are 4.9 times a fifth of 256 MiB, and 5.9 times a sixth."""
    resolved({**small_study(), "scale": 5})
    said = (
        "small.yml: scale: at 6 a guest's own memory, which does not scale (250 MiB), is more than 5 times "
        "the 42.66 MiB that case hybrid-s-stress-1x42.66mib-166.667mbit stresses (allowed: a smaller scale,"
    )
    with pytest.raises(rules.StudyError, match=re.escape(said)):
        resolved({**small_study(), "scale": 6})


def test_who_switches_over_is_a_dimension_of_what_switches_over() -> None:
    both = with_downtimes(switchover_by=["libvirt", "nova"])
    assert {case["case"]: case["spec"]["switchover_by"] for case in resolved(both)} == {
        "hybrid-s-unloaded-1gbit": "libvirt",
        "hybrid-s-unloaded-1gbit-nova-switchover": "nova",
        "precopy-s-unloaded-1gbit": "libvirt",
    }
    study = with_downtimes()
    study["defaults"]["switchover_by"] = "nova"
    assert [case["spec"]["switchover_by"] for case in resolved(study)] == ["nova", "libvirt"]
    study["defaults"]["switchover_by"] = "qemu"
    with pytest.raises(
        rules.StudyError, match=r"defaults.switchover_by: 'qemu' .* \(allowed: libvirt, nova\)"
    ):
        rules.validate(study, "small.yml")


@pytest.mark.parametrize("value", [0, 2_000_001, 2.5, True, "default", "300", []])
@pytest.mark.parametrize("place", ["block", "defaults"])
def test_no_other_allowed_downtime_is_taken(value: object, place: str) -> None:
    study = with_downtimes(**({"max_downtime_ms": value} if place == "block" else {}))
    if place == "defaults":
        study["defaults"]["max_downtime_ms"] = value
    key = "matrix[0].max_downtime_ms" if place == "block" else "defaults.max_downtime_ms"
    with pytest.raises(rules.StudyError) as refused:
        rules.validate(study, "small.yml")
    text = str(refused.value)
    assert text.startswith(f"small.yml: {key}: ") and "\n" not in text
    assert text.endswith("(allowed: a whole number of milliseconds from 1 to 2000000, or native)")


def test_an_unloaded_case_has_no_stressor() -> None:
    spec = resolved(small_study())[0]["spec"]
    assert (spec["stressor"], spec["stress_threads"], spec["stressed_bytes"]) == (None, 0, 0)


def test_several_stressors_do_not_multiply_the_unloaded_case() -> None:
    document = small_study()
    document["matrix"] = [
        {
            "mode": "hybrid",
            "flavor": "s",
            "stressor": ["stress", "stress-ng"],
            "stress_threads": [0, 1],
            "stress_thread_mib": 64,
        }
    ]
    assert [case["case"] for case in resolved(document)] == [
        "hybrid-s-unloaded-1gbit",
        "hybrid-s-stress-1x64mib-1gbit",
        "hybrid-s-stress-ng-1x64mib-1gbit",
    ]


def broken(change: Any) -> dict[str, Any]:
    document = copy.deepcopy(small_study())
    change(document)
    return document


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(colour="red"), "small.yml: colour: unknown key (allowed: schema, name,"),
        (lambda d: d.update(schema=3), "small.yml: schema: 3 is not allowed (allowed: 1, 2)"),
        (
            lambda d: d.update(name="other"),
            "small.yml: name: 'other' differs from the file's name (allowed: small)",
        ),
        (
            lambda d: d.update(repetitions=0),
            "small.yml: repetitions: 0 is not allowed (allowed: a whole number",
        ),
        (lambda d: d.update(repetitions=True), "small.yml: repetitions: True is not allowed"),
        (lambda d: d.pop("order_seed"), "small.yml: order_seed: is missing"),
        (lambda d: d.update(flavors=None), "small.yml: flavors: must be a mapping, not None"),
        (lambda d: d["flavors"].update(s={"vcpus": 1}), "small.yml: flavors.s.ram_mib: is missing"),
        (lambda d: d["flavors"]["s"].update(vcpus=0), "small.yml: flavors.s.vcpus: 0 is not allowed"),
        (
            lambda d: d["defaults"].update(rate="1gbit"),
            "small.yml: defaults.rate: unknown key (allowed: limit_seconds",
        ),
        (
            lambda d: d["defaults"].update(link_rate="0gbit"),
            "small.yml: defaults.link_rate: '0gbit' is not allowed",
        ),
        (
            lambda d: d["defaults"].update(link_rate="fast"),
            "small.yml: defaults.link_rate: 'fast' is not allowed",
        ),
        (lambda d: d["defaults"].update(link_rate=0), "small.yml: defaults.link_rate: 0 is not allowed"),
        (lambda d: d.update(matrix=[]), "small.yml: matrix: must be a list of at least one block"),
        (lambda d: d["matrix"].append("hybrid"), "small.yml: matrix[2]: must be a mapping"),
        (
            lambda d: d["matrix"][0].update(mode="hybird"),
            "small.yml: matrix[0].mode: 'hybird' is not allowed (allowed: precopy, hybrid, postcopy)",
        ),
        (
            lambda d: d["matrix"][0].update(flavor=["xxl"]),
            "small.yml: matrix[0].flavor: 'xxl' is not allowed (allowed: s)",
        ),
        (lambda d: d["matrix"][0].update(flavor=[]), "small.yml: matrix[0].flavor: is an empty list"),
        (
            lambda d: d["matrix"][0].update(speed=1),
            "small.yml: matrix[0].speed: unknown key (allowed: mode, flavor,",
        ),
        (
            lambda d: d["matrix"][0].update(stressor="burn"),
            "small.yml: matrix[0].stressor: 'burn' is not allowed",
        ),
        (
            lambda d: d["matrix"][0].update(link_rate=["1gbit", "1gb"]),
            "small.yml: matrix[0].link_rate: '1gb' is not",
        ),
        (
            lambda d: d["matrix"][1].pop("stress_thread_mib"),
            "small.yml: matrix[1].stress_thread_mib: is missing",
        ),
        (
            lambda d: d["matrix"][1].update(stress_threads=["two"]),
            "small.yml: matrix[1].stress_threads: 'two' is not",
        ),
        (
            lambda d: d["matrix"][1].update(limit_seconds=0),
            "small.yml: matrix[1].limit_seconds: 0 is not allowed",
        ),
    ],
)
def test_whatever_is_wrong_is_one_line_with_file_key_and_allowed_values(change: Any, message: str) -> None:
    with pytest.raises(rules.StudyError) as caught:
        resolved(broken(change))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_case_may_not_appear_twice() -> None:
    document = broken(lambda d: d["matrix"].append({"mode": "hybrid", "flavor": "s", "stress_threads": [0]}))
    with pytest.raises(
        rules.StudyError, match=r"matrix\[2\]: case hybrid-s-unloaded-1gbit is already in matrix\[0\]"
    ):
        resolved(document)


def test_a_guest_has_room_for_what_is_stressed() -> None:
    document = broken(lambda d: d["matrix"][1].update(stress_threads=[8]))
    with pytest.raises(
        rules.StudyError, match=r"wants 2052 MiB .* in a guest of 2048 MiB \(allowed: up to 1856 MiB\)"
    ):
        resolved(document)


@pytest.mark.parametrize(
    ("rate", "bits"), [("1gbit", 10**9), ("200mbit", 2 * 10**8), ("2.5gbit", 25 * 10**8), ("64kbit", 64000)]
)
def test_rates_are_in_the_units_of_tc(rate: str, bits: int) -> None:
    assert rules.rate_bits_per_second(rate) == bits


def test_every_round_holds_every_case_once_and_rounds_differ() -> None:
    names = [f"case{index}" for index in range(20)]
    order = rules.run_order(names, 3, 2014)
    rounds = [[name for name, repetition in order if repetition == wanted] for wanted in (1, 2, 3)]
    assert all(sorted(one) == sorted(names) for one in rounds)
    assert len({tuple(one) for one in rounds}) == 3
    assert [repetition for _, repetition in order] == [1] * 20 + [2] * 20 + [3] * 20


def test_the_order_hangs_on_the_seed_and_more_repetitions_only_append() -> None:
    names = [f"case{index}" for index in range(20)]
    assert rules.run_order(names, 2, 2014) == rules.run_order(list(reversed(names)), 4, 2014)[:40]
    assert rules.run_order(names, 1, 1) != rules.run_order(names, 1, 2)


def test_pending_leaves_out_what_is_finished_or_not_selected() -> None:
    order = [("a", 1), ("b", 1), ("b", 2), ("a", 2)]
    assert rules.pending_runs(order, {("b", 1)}) == [("a", 1), ("b", 2), ("a", 2)]
    assert rules.pending_runs(order, {("b", 1)}, ["b"]) == [("b", 2)]


def test_a_selection_names_cases_by_pattern() -> None:
    names = ["hybrid-s-unloaded-1gbit", "precopy-s-unloaded-1gbit"]
    assert rules.select_cases(names, "") == names
    assert rules.select_cases(names, "precopy-*") == names[1:]
    with pytest.raises(rules.StudyError, match=r"only: 'hybird-\*': matches no case \(allowed: hybrid-s"):
        rules.select_cases(names, "hybird-*")


def test_all_runs_of_a_case_stay_on_one_pair() -> None:
    assert rules.deal_cases(["a", "b", "c"], 2) == {"a": 0, "b": 1, "c": 0}


def largest_article_case() -> list[Case]:
    study = study_files.read_study(STUDIES / "icclab-2014.yml")
    return rules.resolve_cases(study, "icclab-2014.yml")


def test_both_ends_of_the_largest_case_of_the_article_take_about_17_gib() -> None:
    needed = 2 * max(rules.needed_memory_bytes(case.spec) for case in largest_article_case())
    assert 16.5 * 1024 <= needed / MIB <= 18 * 1024


def test_a_study_that_does_not_fit_is_refused_before_anything_starts() -> None:
    one_machine = [
        rules.Compute(name=name, machine="m", available_bytes=16 * 1024 * MIB)
        for name in ("compute1", "compute2")
    ]
    with pytest.raises(
        rules.StudyError, match=r"hybrid-xl-stress-8x1024mib-1gbit needs .* of compute1 and compute2"
    ):
        rules.check_memory(largest_article_case(), one_machine, "icclab-2014.yml")
    two_machines = [replace(compute, machine=compute.name) for compute in one_machine]
    rules.check_memory(largest_article_case(), two_machines, "icclab-2014.yml")


def derived_study(directory: Path, **changes: Any) -> Path:
    """A study file based on small.yml beside it, which says a thing or two itself."""
    (directory / "small.yml").write_text(yaml.safe_dump(small_study()), encoding="utf-8")
    path = directory / "derived.yml"
    document = {
        "schema": 2,
        "name": "derived",
        "title": "Small, and watched less",
        "based_on": "small",
        **changes,
    }
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def test_a_study_is_another_one_but_for_what_it_says_itself(tmp_path: Path) -> None:
    path = derived_study(tmp_path, only="hybrid-*", repetitions=5, defaults={"probes": "basic"})
    study = study_files.read_study(path)
    base = study_files.read_study(tmp_path / "small.yml")
    assert (study.name, study.title, study.repetitions) == ("derived", "Small, and watched less", 5)
    assert (study.order_seed, study.reference, study.flavors) == (
        base.order_seed,
        base.reference,
        base.flavors,
    )
    wanted = [case for case in rules.resolve_cases(base, "small.yml") if case.spec.mode == "hybrid"]
    assert rules.resolve_cases(study, "derived.yml") == [
        Case(case=f"{case.case}-basic-probes", spec=replace(case.spec, probes=Probes.BASIC))
        for case in wanted
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"based_on": "large"},
            r"derived.yml: based_on: large is not in .* \(allowed: a study file beside it",
        ),
        ({"based_on": "derived"}, r"derived.yml: based_on: derived is itself based on another \(allowed: "),
        ({"based_on": "../small"}, r"derived.yml: based_on: '../small' is not allowed \(allowed: lower-case"),
        ({"matrix": []}, r"derived.yml: matrix: unknown key \(allowed: .*based_on"),
        ({"only": 3}, r"derived.yml: only: 3 is not allowed \(allowed: ids or patterns"),
        ({"only": "postcopy-*"}, r"derived.yml: only: 'postcopy-\*': matches no case \(allowed: hybrid-s-"),
        ({"defaults": {"probes": "some"}}, r"derived.yml: defaults.probes: 'some' is not allowed"),
        ({"name": "other"}, r"derived.yml: name: 'other' differs from the file's name"),
    ],
)
def test_a_derived_study_that_cannot_be_is_one_line(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    path = derived_study(tmp_path, **changes)
    with pytest.raises(rules.StudyError, match=reason) as refused:
        rules.resolve_cases(study_files.read_study(path), path.name)
    assert "\n" not in str(refused.value)


def test_a_mistake_in_the_other_file_names_that_file(tmp_path: Path) -> None:
    path = derived_study(tmp_path)
    (tmp_path / "small.yml").write_text(yaml.safe_dump({**small_study(), "repetitions": 0}), encoding="utf-8")
    with pytest.raises(rules.StudyError, match=r"small.yml: repetitions: 0 is not allowed"):
        study_files.read_study(path)


def test_results_of_another_study_are_refused() -> None:
    study = rules.validate(small_study(), "small.yml", "small")
    cases = rules.resolve_cases(study, "small.yml")
    held = rules.plan_document(study, cases, rules.run_order([case.case for case in cases], 2, 7))
    rules.check_same_study(held, replace(study, repetitions=9), cases, "study.json")
    with pytest.raises(
        rules.StudyError, match=r"study.json: order_seed: holds another study, 7 instead of 8"
    ):
        rules.check_same_study(held, replace(study, order_seed=8), cases, "study.json")
    with pytest.raises(
        rules.StudyError, match=r"study.json: cases: case hybrid-s-stress-2x256mib-1gbit differs"
    ):
        rules.check_same_study(held, study, cases[:-1], "study.json")
    with pytest.raises(rules.StudyError, match=r"is not a study.json"):
        rules.check_same_study([], study, cases, "study.json")


def test_results_from_before_networks_and_probes_were_said_are_of_the_same_study() -> None:
    study = rules.validate(small_study(), "small.yml", "small")
    cases = rules.resolve_cases(study, "small.yml")
    older = msgspec.to_builtins(cases)
    for case in older:
        for key in ("network", "probes", "postcopy_recovery_seconds", "max_downtime_ms"):
            del case["spec"][key]
    rules.check_same_study(
        {"schema": 1, "study": msgspec.to_builtins(study), "cases": older}, study, cases, "study.json"
    )


def test_the_quick_study_is_a_sample_of_the_article() -> None:
    study = study_files.read_study(STUDIES / "quick.yml")
    cases = rules.resolve_cases(study, "quick.yml")
    assert {case.case for case in cases} == {
        "hybrid-s-unloaded-1gbit",
        "hybrid-m-unloaded-1gbit",
        "hybrid-s-stress-1x256mib-1gbit",
        "hybrid-s-stress-2x256mib-1gbit",
        "hybrid-s-stress-4x256mib-1gbit",
        "precopy-s-stress-2x256mib-1gbit",
    }
    assert len(rules.run_order([case.case for case in cases], study.repetitions, study.order_seed)) == 12


def test_the_article_study_is_all_of_its_tables() -> None:
    cases = [case for case in largest_article_case() if case.spec.table]
    assert len(cases) == 20
    assert {case.spec.mode for case in cases} == {"hybrid"}
    by_table: dict[str, list[int]] = {}
    for case in cases:
        by_table.setdefault(str(case.spec.table), []).append(case.spec.stressed_bytes // MIB)
    assert by_table["table2"] == [0] * 4
    assert by_table["table3"] == [256 * step for step in range(1, 9)]
    assert by_table["table4"] == [1024 * step for step in range(1, 9)]


def test_reading_a_study_never_raises_anything_but_one_line(tmp_path: Path) -> None:
    missing = tmp_path / "missing.yml"
    with pytest.raises(rules.StudyError, match=r"missing.yml: cannot be read: No such file"):
        study_files.read_study(missing)
    for text in ("{", "a: b: c", "\t- x", "- 1", "", "a: &x [*y]"):
        bad = tmp_path / "bad.yml"
        bad.write_text(text)
        with pytest.raises(rules.StudyError) as caught:
            study_files.read_study(bad)
        assert "\n" not in str(caught.value)
    bad.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(rules.StudyError):
        study_files.read_study(bad)


def test_finished_runs_are_those_with_run_json(tmp_path: Path) -> None:
    order = [("a", 1), ("a", 2)]
    done = study_files.run_directory(tmp_path, "a", 2)
    done.mkdir(parents=True)
    assert study_files.finished_runs(tmp_path, order) == set()
    (done / "run.json").write_text("{}")
    assert study_files.finished_runs(tmp_path, order) == {("a", 2)}


def test_a_directory_of_something_else_is_no_results_directory(tmp_path: Path) -> None:
    study = rules.validate(small_study(), "small.yml", "small")
    study_files.check_results_directory(tmp_path / "absent", study, [], "local", "epoxy")
    study_files.check_results_directory(tmp_path, study, [], "local", "epoxy")
    (tmp_path / "letters.txt").write_text("")
    with pytest.raises(rules.StudyError, match=r"is not a results directory"):
        study_files.check_results_directory(tmp_path, study, [], "local", "epoxy")
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(rules.StudyError, match=r"cannot be read as JSON"):
        study_files.check_results_directory(tmp_path, study, [], "local", "epoxy")


def test_a_json_file_is_written_only_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "study.json"
    assert study_files.write_json(path, {"a": 1}) is True
    assert study_files.write_json(path, {"a": 1}) is False
    assert study_files.write_json(path, {"a": 2}) is True


def test_a_study_file_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long list of sizes takes seconds to parse."""
    begun: list[object] = []
    begin = yaml.SafeLoader.fetch_stream_start
    monkeypatch.setattr(yaml.SafeLoader, "fetch_stream_start", lambda self: (begun.append(self), begin(self)))
    assert study_files.read_study(STUDIES / "quick.yml").name == "quick"
    assert len(begun) == 1
