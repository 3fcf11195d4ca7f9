import json

import pytest

from bec_core.errors import InvalidMessage
from bec_core.models import OutgoingMessage, VolumeRef, check_id, decode_message, encode_message


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        ('{"w_id": "W22084", "i_id": "I0886"}', {}),
        ("", {"w_id": "W22084", "i_id": "I0886"}),
        ("not json", {"w_id": "W22084", "i_id": "I0886"}),
        ('{"w_id": "W22084", "i_id": "I0886"}', {"w_id": "W22084", "i_id": "I0886"}),
        ('{"w_id": "W22084"}', {"i_id": "I0886"}),
        ('{"w_id": "W22084", "i_id": "I0886", "source": "", "priority": 3}', {"x": "y"}),
    ],
)
def test_every_form_of_a_message_names_the_volume(body, attributes):
    assert decode_message(OutgoingMessage(body, attributes)) == VolumeRef("W22084", "I0886")


def test_body_wins_over_attributes():
    message = OutgoingMessage('{"w_id": "W1", "i_id": "I1"}', {"w_id": "W2", "i_id": "I2"})
    assert decode_message(message) == VolumeRef("W1", "I1")


def test_other_sources_are_carried_and_the_default_is_not_written():
    ref = VolumeRef("W1", "I1", "ocr_benchmark", "v007")
    sent = encode_message(ref)
    assert decode_message(sent) == ref
    assert json.loads(sent.body) == dict(sent.attributes)
    assert set(encode_message(VolumeRef("W1", "I1")).attributes) == {"w_id", "i_id"}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "{",
        "[]",
        '"W1"',
        '{"w_id": "W1"}',
        '{"w_id": 5, "i_id": "I1"}',
        '{"w_id": "../W1", "i_id": "I1"}',
        '{"w_id": "W1/..", "i_id": "I1"}',
        '{"w_id": "W1", "i_id": "I\\u0000"}',
        '{"w_id": "W1", "i_id": "I1", "source": ["a"]}',
        '{"w_id": "W1", "i_id": "I1", "i_version": "a/b"}',
        '{"a":' * 100_000,
    ],
)
def test_a_message_that_names_no_volume_is_refused_in_words(body):
    with pytest.raises(InvalidMessage):
        decode_message(OutgoingMessage(body))


@pytest.mark.parametrize(
    "bad", ["", ".", "..", "a..b", "a/b", "a\\b", "-a", "a b", "x" * 129, "a\n", None, 3]
)
def test_what_can_not_be_a_path_component_is_no_id(bad):
    with pytest.raises(InvalidMessage):
        check_id(bad, "w_id")


def test_volumes_of_other_sources_can_not_collide_in_the_database():
    plain = VolumeRef("W1", "I1")
    benchmark = VolumeRef("W1", "I1", "ocr_benchmark", "v1")
    folder = VolumeRef("W1", "I1", "file:///scans/a")
    other = VolumeRef("W1", "I1", "file:///scans/b")
    assert plain.db_w_id == "W1"
    assert benchmark.db_w_id == "ocr_benchmark:W1"
    assert len({ref.db_w_id for ref in (plain, benchmark, folder, other)}) == 4
