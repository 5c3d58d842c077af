"""The DNS question for name servers, asked of a resolver that the test plays."""

from __future__ import annotations

import socket
import struct
import threading

import pytest
from ansible.module_utils.lyo_phases import nameservers as ns


def answer(asked: bytes, *servers: str, flags: int = 0x8180, number: int | None = None) -> bytes:
    """What a resolver says; each record's name points back to the question's."""
    found = struct.unpack_from("!H", asked)[0] if number is None else number
    message = struct.pack("!6H", found, flags, 1, len(servers), 0, 0) + asked[12:]
    for server in servers:
        labels = server.split(".")
        # All but the first label of the first question's name is used again by a pointer.
        data = bytes([len(labels[0])]) + labels[0].encode() + b"\xc0\x0c"
        message += b"\xc0\x0c" + struct.pack("!2HIH", ns.NS, ns.IN, 300, len(data)) + data
    return message


def test_the_question_is_as_the_rfc_says() -> None:
    asked = ns.question("lyo.example.", 7)
    assert asked == b"\0\7\1\0\0\1\0\0\0\0\0\0\3lyo\7example\0\0\2\0\1"


def test_an_answer_is_read_with_its_pointers() -> None:
    asked = ns.question("lyo.example", 7)
    assert ns.answers(answer(asked, "NS2.x", "ns1.x"), 7) == ["ns1.lyo.example", "ns2.lyo.example"]
    assert ns.answers(answer(asked), 7) == []


@pytest.mark.parametrize(
    "message",
    [
        answer(ns.question("lyo.example", 7), "a.x", number=8),
        answer(ns.question("lyo.example", 7), "a.x", flags=0x0100),
        answer(ns.question("lyo.example", 7), "a.x", flags=0x8380),
        answer(ns.question("lyo.example", 7), "a.x")[:-1],
        struct.pack("!6H", 7, 0x8180, 1, 0, 0, 0) + b"\xc0\x0c\0\2\0\1",
        b"",
    ],
)
def test_what_is_no_answer_is_refused(message: bytes) -> None:
    with pytest.raises(ns.BadAnswerError):
        ns.answers(message, 7)


def test_resolvers_are_those_of_the_system() -> None:
    text = "# a comment\nnameserver 127.0.0.53\nsearch x\nnameserver ::1\noptions edns0\n"
    assert ns.resolvers(text) == ["127.0.0.53", "::1"]


def test_a_lookup_asks_the_resolver() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)

        def serve() -> None:
            asked, peer = server.recvfrom(512)
            server.sendto(answer(asked, "ns1.x"), peer)

        thread = threading.Thread(target=serve)
        thread.start()
        found = ns.lookup("lyo.example", ["127.0.0.1"], server.getsockname()[1])
        thread.join()
    assert found == ["ns1.lyo.example"]


def test_no_resolver_that_answers_is_told() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(OSError, match=r"name servers of lyo\.example could not be looked up"):
        ns.lookup("lyo.example", ["127.0.0.1"], port)
