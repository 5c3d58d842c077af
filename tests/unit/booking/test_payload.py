from __future__ import annotations

import json
from typing import Any

import pytest
from booking import payload
from booking.payload import Incoming


def notification(*changes: dict[str, Any]) -> bytes:
    return json.dumps({"entry": [{"id": "1", "changes": list(changes)}]}).encode()


def change(*messages: dict[str, Any], field: str = "messages") -> dict[str, Any]:
    metadata = {"phone_number_id": "100"}
    return {"field": field, "value": {"metadata": metadata, "messages": list(messages)}}


TEXT = {"id": "wamid.1", "from": "39333", "type": "text", "text": {"body": "Ciao"}}
IMAGE = {"id": "wamid.2", "from": "39333", "type": "image", "image": {"id": "5"}}


def test_every_message_of_every_change_is_found() -> None:
    found = payload.messages(notification(change(TEXT), change(IMAGE)))
    assert found == [
        Incoming("wamid.1", "100", "39333", "text", "Ciao"),
        Incoming("wamid.2", "100", "39333", "image", ""),
    ]


def test_delivery_reports_and_other_fields_hold_no_message() -> None:
    report = {"field": "messages", "value": {"statuses": [{"id": "wamid.1"}]}}
    assert payload.messages(notification(report, change(TEXT, field="account_update"))) == []


def test_a_nul_character_never_reaches_the_database() -> None:
    message = {**TEXT, "text": {"body": "Ci\0ao"}}
    assert payload.messages(notification(change(message)))[0].text == "Ciao"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"entry": 1}',
        notification(change({"id": "x"})),
        notification({"field": "messages", "value": {"messages": [TEXT]}}),
    ],
)
def test_what_is_no_notification_is_refused(body: bytes) -> None:
    with pytest.raises(payload.PayloadError):
        payload.messages(body)
