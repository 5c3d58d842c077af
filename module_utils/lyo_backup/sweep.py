"""Removes what interrupted runs have left: each thing by a call of its own, so that one refusal stops no other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from .decide import SNAPSHOT, Orphans
from .reading import Place
from .scratch import Instances


def steps(left: Orphans, place: Place, instances: Instances) -> list[Callable[[], None]]:
    """Return what to call, in the order of what costs: instances first."""
    calls = [partial(instances.delete, one.name) for one in left.scratch]
    for catalogue, uploads, remains in (
        (place.logical, left.uploads, left.remains),
        (place.copies, left.copy_uploads, left.copy_remains),
    ):
        if catalogue is not None:
            calls += [partial(catalogue.abort, key, upload) for _, key, upload in uploads]
            calls += [partial(catalogue.delete, one) for one in remains]
    for kind, snapshot in left.snapshots:
        service = place.rds if kind == SNAPSHOT else place.cache
        calls.append(partial(service.delete, snapshot.name))
    return list(calls)
