"""Queue settings: everything has a default, nothing unknown gets in."""

import tomllib
from importlib.resources import files

import pytest
from pydantic import ValidationError

from routing.core.queues import Queue

CONTRACT = """
{"name":"support","title":"Support","numbers":["600","+4930555100"],"region":"DE","time_zone":"Europe/Berlin",
 "language":"en","caller_id":null,
 "workflow":{"loop":true,"steps":[{"after":10,"announce":["position","wait"]},
   {"after":20,"menu":"offer","keys":{"1":"wait","2":"callback"},"tries":3,"timeout":5}]},
 "offer":{"accept_timeout":20,"answer_timeout":10,"accept_mode":"manual","countdown":10,"reject_allowed":true,
   "rona_not_ready":true,"exclude":30},
 "dial":{"order":"on_alert","ring_timeout":30,"cps":5,"ttl":86400,"retry":{"busy":[3,300],"no_answer":[3,900],
   "machine":[2,3600],"congestion":[5,60]},"max_attempts":3,"window":["08:00","21:00"],"ready_to_call":60},
 "callback":{"enabled":true,"alternate_number":false,"place":"keep","initial_delay":5,"max_pending":500,
   "on_hangup":"keep"},
 "abandon":{"short":5},
 "wrap_up":{"seconds":30,"required":false,"dispositions":[{"code":"solved","title":"Solved"}]},
 "hours":{"mon":["08:00-20:00"]},"holidays":"DE","slots":{"minutes":30,"capacity":4,"days_ahead":30},
 "numbers_allowed":["+49"],"numbers_denied":[]}
"""


def test_the_contracts_example_is_valid_and_survives_a_round_trip() -> None:
    queue = Queue.model_validate_json(CONTRACT, strict=True)
    assert Queue.model_validate_json(queue.model_dump_json()) == queue


def test_only_the_name_is_needed() -> None:
    queue = Queue.model_validate_json('{"name": "a"}')
    assert queue.workflow.steps and queue.dial.order == "on_alert"


def test_the_queues_that_come_with_ringback_are_valid() -> None:
    folder = files("ivr") / "workflows"
    names = {Queue.model_validate(tomllib.loads(each.read_text())).name for each in folder.iterdir()}
    assert names == {"support", "sales"}


@pytest.mark.parametrize(
    "wrong",
    [
        '{"name": "a", "colour": "red"}',
        '{"name": "A queue"}',
        '{"name": "a", "offer": {"acept_timeout": 3}}',
        '{"name": "a", "numbers": ["600", "600"]}',
        '{"name": "a", "numbers": ["six"]}',
        '{"name": "a", "region": "XX"}',
        '{"name": "a", "time_zone": "Mars/Base"}',
        '{"name": "a", "dial": {"ring_timeout": -1}}',
        '{"name": "a", "dial": {"order": "customer_first"}}',
        '{"name": "a", "abandon": {"short": 1e400}}',
        '{"name": "a", "workflow": {"steps": [{"after": 1}]}}',
        '{"name": "a", "workflow": {"steps": [{"menu": "offer", "announce": ["position"]}]}}',
        '{"name": "a", "workflow": {"steps": [{"menu": "offer", "keys": {"A": "wait"}}]}}',
        '{"name": "a", "workflow": {"steps": [{"menu": "offer", "keys": {"3": {"voicemail": {}}}}]}}',
        '{"name": "a", "workflow": {"steps": [{"after": 0, "announce": ["position"]}]}}',
    ],
)
def test_what_is_wrong_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError):
        Queue.model_validate_json(wrong)
