"""Jobs side by side: the first error ends all of them and is the one that is raised."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import BoundedSemaphore
from typing import Any, TypeVar

from .tools import Group, StoppedError

T = TypeVar("T")
HEARTBEAT_SECONDS = 15.0


class Ends:
    """Ends of jobs: done beside the jobs that follow, so that nobody waits for an answer of S3.

    :param size: so many at a time.
    """

    def __init__(self, group: Group, size: int) -> None:
        self._group, self._room = group, BoundedSemaphore(size)
        self._executor = ThreadPoolExecutor(size)
        self.futures: list[Future[None]] = []

    def give(self, end: Callable[[], None]) -> None:
        """Let an end be done, also when the jobs are stopped; waits for room."""
        self._room.acquire()
        self.futures.append(self._executor.submit(self._do, end))

    def wait(self) -> None:
        """Wait until all of them are done; their errors stay with them."""
        wait(self.futures)
        self._executor.shutdown()

    def _do(self, end: Callable[[], None]) -> None:
        try:
            end()
        except BaseException:
            self._group.stop()
            raise
        finally:
            self._room.release()


def run(
    group: Group,
    pools: Iterable[tuple[int, list[Callable[[], T]]]],
    heartbeat: Callable[[], None] = lambda: None,
    ends: Ends | None = None,
) -> list[T]:
    """Run jobs, each list of them so many at a time, in their order.

    :param heartbeat: called every 15 seconds meanwhile; its error ends everything too.
    :param ends: what the jobs leave to be done.
    :returns: what the jobs returned.
    """
    ends = ends or Ends(group, 1)
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
        ends.wait()
        for end in ends.futures:
            end.result()
    except BaseException as raised:
        group.stop()
        wait(futures)
        ends.wait()
        raise _cause(raised, [*futures, *ends.futures]) from None
    finally:
        for executor in executors:
            executor.shutdown(wait=True, cancel_futures=True)
    return [future.result() for future in futures]


def _cause(raised: BaseException, futures: Iterable[Future[Any]]) -> BaseException:
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
