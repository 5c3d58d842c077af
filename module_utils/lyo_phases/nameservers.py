"""Which name servers the world is told for a domain: one DNS question, asked of the system's resolver.

https://www.rfc-editor.org/rfc/rfc1035
"""

from __future__ import annotations

import secrets
import socket
import struct
from pathlib import Path

NS, IN = 2, 1
RESPONSE, RECURSION_DESIRED, TRUNCATED, RCODE = 0x8000, 0x0100, 0x0200, 0x000F
TIMEOUT_SECONDS = 3.0
ATTEMPTS = 2
RESOLVERS = Path("/etc/resolv.conf")


class BadAnswerError(Exception):
    """The resolver's answer is none to this question."""


def question(domain: str, number: int) -> bytes:
    """The message that asks for the NS records of ``domain``."""
    header = struct.pack("!6H", number, RECURSION_DESIRED, 1, 0, 0, 0)
    labels = domain.rstrip(".").encode("idna").split(b".")
    name = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return header + name + struct.pack("!2H", NS, IN)


def answers(message: bytes, number: int) -> list[str]:
    """The names in the NS records of an answer, in lower case and sorted; empty for no records.

    :raises BadAnswerError: it is not the answer to message ``number``, or broken.
    """
    try:
        found, flags, questions, records = struct.unpack_from("!4H", message)
        if found != number or not flags & RESPONSE or flags & TRUNCATED:
            raise BadAnswerError("not an answer to this question")
        position = 12
        for _ in range(questions):
            _, position = _name(message, position)
            position += 4
        servers = set()
        for _ in range(records):
            _, position = _name(message, position)
            kind, _, _, length = struct.unpack_from("!2HIH", message, position)
            position += 10
            if kind == NS:
                servers.add(_name(message, position)[0])
            position += length
        return sorted(servers)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise BadAnswerError("a broken answer") from error


def _name(message: bytes, position: int) -> tuple[str, int]:
    """A name and where it ends; pointers lead to earlier places of the message."""
    labels: list[str] = []
    end = -1
    for _ in range(128):
        length = message[position]
        if length & 0xC0 == 0xC0:
            end = position + 2 if end < 0 else end
            position = (length & 0x3F) << 8 | message[position + 1]
            continue
        position += 1
        if length == 0:
            return ".".join(labels).lower(), end if end >= 0 else position
        labels.append(message[position : position + length].decode("ascii"))
        position += length
    raise BadAnswerError("a name without an end")


def resolvers(text: str) -> list[str]:
    """The addresses of a resolv.conf's name servers."""
    lines = (line.split() for line in text.splitlines())
    return [line[1] for line in lines if len(line) > 1 and line[0] == "nameserver"]


def lookup(domain: str, servers: list[str] | None = None, port: int = 53) -> list[str]:
    """The name servers of ``domain``, as the system's resolver finds them.

    :raises OSError: no resolver answers.
    """
    servers = servers or resolvers(RESOLVERS.read_text())
    problem: Exception = OSError("there is no resolver in /etc/resolv.conf")
    for server in servers * ATTEMPTS:
        number = secrets.randbelow(65536)
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as plain:
                plain.settimeout(TIMEOUT_SECONDS)
                plain.connect((server, port))
                plain.send(question(domain, number))
                return answers(plain.recv(4096), number)
        except (OSError, BadAnswerError) as error:
            problem = error
    raise OSError(f"the name servers of {domain} could not be looked up: {problem}")
