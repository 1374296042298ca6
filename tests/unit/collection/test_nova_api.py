"""nova's API as the driver speaks it; the refusal is written by hand, in the form that nova's have."""

from ansible_collections.postcopy.lab.plugins.module_utils.node import nova_api

CONFLICT = (
    '{"conflictingRequest": {"code": 409, "message": "Cannot \'os-migrateLive\' instance 0e73e074 while '
    'it is in task_state migrating"}}'
)


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
