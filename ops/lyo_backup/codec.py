"""Compression of a stream, chunk by chunk: zstd, gzip or none.

It is done here instead of by pg_dump, because not every build of pg_dump knows zstd, and because a
thread of its own for each job keeps pg_dump reading meanwhile.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import zstandard
from zlib_ng import zlib_ng as zlib  # the same streams as zlib's, at half the CPU time

_GZIP = 31  # zlib's window bits for a gzip header
# Bytes decompressed at once: a small compressed chunk may become a huge one.
LARGEST = 1 << 20
# Compressed bytes taken at once: what is left of them when LARGEST is reached is copied.
_PIECE = 1 << 16


class CorruptError(Exception):
    """The stream is not what the codec wrote."""


@dataclass(frozen=True)
class Encoder:
    """Compresses; `add` every chunk, then `end` once."""

    add: Callable[[bytes], bytes]
    end: Callable[[], bytes]


def encoder(compression: str) -> Encoder:
    """Return an encoder for ``zstd:<level>``, ``gzip:<level>`` or ``none``."""
    kind, _, level = compression.partition(":")
    if kind == "zstd":
        # The frame ends in a checksum of its own.
        zstd = zstandard.ZstdCompressor(level=int(level), write_checksum=True).compressobj()
        return Encoder(zstd.compress, zstd.flush)
    if kind == "gzip":
        gzip = zlib.compressobj(int(level), zlib.DEFLATED, _GZIP)
        return Encoder(gzip.compress, gzip.flush)
    return Encoder(bytes, lambda: b"")


def suffix(compression: str) -> str:
    """Return how the name of a compressed archive ends."""
    return {"zstd": ".dump.zst", "gzip": ".dump.gz"}.get(compression.partition(":")[0], ".dump")


def decoded(chunks: Iterator[bytes], compression: str) -> Iterator[bytes]:
    """Yield what a stream decompresses to, never more than LARGEST bytes at once.

    All of `chunks` is consumed, so that whoever hashes them has seen every byte.

    :raises CorruptError: the stream is damaged.
    """
    kind = compression.partition(":")[0]
    try:
        if kind == "zstd":
            source: Any = _File(chunks)
            reader = zstandard.ZstdDecompressor().stream_reader(source, read_size=1 << 17)
            while piece := reader.read(LARGEST):
                yield piece
        elif kind == "gzip":
            yield from _gunzipped(chunks)
    except (zstandard.ZstdError, zlib.error) as error:  # type: ignore[misc] # its stub is wrong
        raise CorruptError(str(error)) from error
    for chunk in chunks:
        if kind == "none":
            yield chunk


def _gunzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    gzip = zlib.decompressobj(_GZIP)
    for chunk in chunks:
        for start in range(0, len(chunk), _PIECE):
            rest = chunk[start : start + _PIECE]
            while rest:
                yield gzip.decompress(rest, LARGEST)
                rest = gzip.unconsumed_tail


class _File(io.RawIOBase):
    """The chunks of an iterator, as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest = chunks, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
