"""nova's API as the driver speaks it.

The refusal is written by hand, in the form that nova's have; the actions are a real nova's, of an instance
whose destination had no nova-compute.
"""

import json
from typing import Any

from ansible_collections.postcopy.lab.plugins.module_utils.node import nova_api

from tests.conftest import PROJECT

RECORDED = PROJECT / "tests/data/nova-api"
CONFLICT = (
    '{"conflictingRequest": {"code": 409, "message": "Cannot \'os-migrateLive\' instance 0e73e074 while '
    'it is in task_state migrating"}}'
)


def recorded(name: str) -> Any:
    return json.loads((RECORDED / name).read_text(encoding="utf-8"))


def test_a_failed_migration_is_explained_in_novas_words() -> None:
    request = nova_api.newest_migration_request(recorded("instance-actions.json")["instanceActions"])
    action = recorded("live-migration-action.json")["instanceAction"]
    assert request == action["request_id"]
    reason = nova_api.failure_of(action["events"])
    assert reason == "No valid host was found. There are not enough hosts available."


def test_what_went_well_is_no_explanation() -> None:
    action = recorded("live-migration-action.json")["instanceAction"]
    assert nova_api.failure_of([one for one in action["events"] if one["result"] == "Success"]) is None


def test_an_instance_that_never_migrated_has_no_such_request() -> None:
    created = [
        one for one in recorded("instance-actions.json")["instanceActions"] if one["action"] == "create"
    ]
    assert nova_api.newest_migration_request(created) is None


def test_novas_own_words_are_the_error() -> None:
    assert nova_api.message_of(CONFLICT).endswith("while it is in task_state migrating")


def test_an_answer_that_is_not_novas_is_quoted_in_one_line() -> None:
    assert nova_api.message_of("<html>\n Bad gateway") == "<html> Bad gateway"


def test_without_a_record_there_is_nothing_to_complete() -> None:
    api = nova_api.NovaApi("http://127.0.0.1:1/v2.1/", "token", "server")
    try:
        api.force_complete()
    except nova_api.NovaError as error:
        assert "no record" in str(error)
    else:
        raise AssertionError("it asked without knowing the migration")


def test_a_nova_that_does_not_answer_is_named() -> None:
    try:
        nova_api.NovaApi("http://127.0.0.1:1/v2.1", "token", "server").server()
    except nova_api.NovaError as error:
        assert "http://127.0.0.1:1/v2.1" in str(error)
    else:
        raise AssertionError("port 1 answered")
