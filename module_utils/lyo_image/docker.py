"""Builds and pushes an image with the docker command."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from ..lyo_aws import Aws
from .build import BuildError


def docker(
    arguments: Sequence[str],
    say: Callable[[str], None] = lambda _: None,
    stdin: str | None = None,
) -> None:
    """Run docker and pass its lines on.

    :param stdin: given to it on standard input: a password never becomes an argument.
    :raises BuildError: docker is missing or fails; with its last lines.
    """
    tail: list[str] = []
    try:
        process = subprocess.Popen(
            ["docker", *arguments],
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except FileNotFoundError:
        raise BuildError(
            "docker is missing: install it, or set builder to process for the local cloud"
        ) from None
    with process:
        if process.stdin is not None:
            process.stdin.write(stdin or "")
            process.stdin.close()
        assert process.stdout is not None
        for line in process.stdout:
            tail = [*tail[-19:], line.rstrip()]
            say(line.rstrip())
    if process.returncode != 0:
        words = "\n".join(tail)
        raise BuildError(f"docker {arguments[0]} failed ({process.returncode}):\n{words}")


def build_and_push(
    aws: Aws,
    root: Path,
    dockerfile: str,
    address: str,
    arguments: Mapping[str, str],
    say: Callable[[str], None],
) -> None:
    """Build the Dockerfile for a release and push it as ``address`` (with its tag).

    :param arguments: the Dockerfile's build arguments.
    :raises BuildError: docker fails.
    """
    docker(
        [
            "build",
            "--file",
            str(root / dockerfile),
            *chain.from_iterable(("--build-arg", f"{k}={v}") for k, v in sorted(arguments.items())),
            "--tag",
            address,
            str(root),
        ],
        say,
    )
    answer: dict[str, Any] = aws.call("ecr", "get_authorization_token")
    token = answer["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    registry = address.partition("/")[0]
    docker(["login", "--username", user, "--password-stdin", registry], stdin=password)
    docker(["push", address], say)
