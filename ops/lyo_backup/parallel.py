"""Jobs side by side: the first error ends all of them and is the one that is raised."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from .tools import Group, StoppedError

T = TypeVar("T")
HEARTBEAT_SECONDS = 15.0


def run(
    group: Group,
    pools: Iterable[tuple[int, list[Callable[[], T]]]],
    heartbeat: Callable[[], None] = lambda: None,
) -> list[T]:
    """Run jobs, each list of them so many at a time, in their order.

    :param heartbeat: called every 15 seconds meanwhile; its error ends everything too.
    :returns: what the jobs returned.
    """
    executors: list[ThreadPoolExecutor] = []
    futures: list[Future[T]] = []
    try:
        for size, jobs in pools:
            executors.append(ThreadPoolExecutor(size))
            futures += [executors[-1].submit(_unless_stopped(group, job)) for job in jobs]
        pending = set(futures)
        while pending:
            done, pending = wait(pending, HEARTBEAT_SECONDS, FIRST_COMPLETED)
            for future in done:
                future.result()
            heartbeat()
    except BaseException as raised:
        group.stop()
        wait(futures)
        raise _cause(raised, futures) from None
    finally:
        for executor in executors:
            executor.shutdown(wait=True, cancel_futures=True)
    return [future.result() for future in futures]


def _cause(raised: BaseException, futures: Iterable[Future[T]]) -> BaseException:
    """Return why jobs were stopped: those that were stopped only say that they were."""
    if isinstance(raised, StoppedError):
        for future in futures:
            found = future.exception()
            if found is not None and not isinstance(found, StoppedError):
                return found
    return raised


def _unless_stopped(group: Group, job: Callable[[], T]) -> Callable[[], T]:
    def guarded() -> T:
        if group.stopped.is_set():
            raise StoppedError
        try:
            return job()
        except StoppedError:
            raise
        except BaseException:
            group.stop()
            raise

    return guarded
