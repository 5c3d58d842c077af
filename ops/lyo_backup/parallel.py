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
    :returns: what the jobs returned, in no order.
    """
    executors: list[ThreadPoolExecutor] = []
    pending: set[Future[T]] = set()
    results: list[T] = []
    error: BaseException | None = None
    try:
        for size, jobs in pools:
            executors.append(ThreadPoolExecutor(size))
            pending |= {executors[-1].submit(_unless_stopped(group, job)) for job in jobs}
        while pending:
            done, pending = wait(pending, HEARTBEAT_SECONDS, FIRST_COMPLETED)
            for future in done:
                results.append(future.result())
            heartbeat()
    except BaseException as raised:
        error = raised
        group.stop()
        # What ended first is why the others were stopped, whichever is seen first.
        wait(pending)
        if isinstance(raised, StoppedError):
            for future in pending:
                found = future.exception()
                if found is not None and not isinstance(found, StoppedError):
                    error = found
        raise error from None
    finally:
        for executor in executors:
            executor.shutdown(wait=True, cancel_futures=True)
    return results


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
