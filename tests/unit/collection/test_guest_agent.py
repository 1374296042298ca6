"""Module postcopy.lab.guest_agent: what of a guest's answer is judged, by the answer of a recorded run."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.postcopy.lab.plugins.modules.guest_agent import in_use_with_all_of_the_stressor

from tests.unit.command.conftest import events_of


@pytest.fixture
def status() -> dict[str, Any]:
    """Two workers of 256 MiB hold all of it."""
    filled = (
        event["event_data"]["res"]
        for event in events_of("study")
        if "TASK [Fill]" in event["stdout"] and "res" in event["event_data"]
    )
    answer: dict[str, Any] = next(filled)["status"]
    return answer


@pytest.fixture
def unloaded_bytes(status: dict[str, Any]) -> int:
    """What was in use before the workers began."""
    return int(status["resident_bytes"] - status["stressor"]["peak_resident_bytes"])


def test_a_stressor_that_holds_all_adds_nothing(status: dict[str, Any], unloaded_bytes: int) -> None:
    assert status["stressor"]["resident_bytes"] >= status["stressor"]["peak_resident_bytes"]
    assert in_use_with_all_of_the_stressor(status, unloaded_bytes) == status["resident_bytes"]


def test_what_a_stressor_gave_back_counts(status: dict[str, Any], unloaded_bytes: int) -> None:
    whole = status["resident_bytes"]
    status["resident_bytes"] -= status["stressor"]["peak_resident_bytes"] // 2
    assert in_use_with_all_of_the_stressor(status, unloaded_bytes) == whole


def test_memory_given_back_between_two_figures_of_one_answer_is_not_counted_twice(
    status: dict[str, Any], unloaded_bytes: int
) -> None:
    whole = status["resident_bytes"]
    status["stressor"]["resident_bytes"] = 0
    assert in_use_with_all_of_the_stressor(status, unloaded_bytes) == whole


def test_without_a_figure_from_before_the_stressor_a_moments_counts(status: dict[str, Any]) -> None:
    status["resident_bytes"] -= 4096
    assert in_use_with_all_of_the_stressor(status, None) == status["resident_bytes"]


def test_it_is_never_more_than_there_is(status: dict[str, Any], unloaded_bytes: int) -> None:
    status["stressor"]["peak_resident_bytes"] *= 10
    assert in_use_with_all_of_the_stressor(status, unloaded_bytes) == status["memory_total_bytes"]
