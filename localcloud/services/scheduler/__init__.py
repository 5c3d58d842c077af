"""EventBridge Scheduler: moto's schedules, looked at before it keeps them, and really fired.

Due times are cloud time: it begins at the present when the local cloud starts, and passes as fast as
its clock, so at speed 10 a schedule of a day is due every 2.4 hours. Targets are ECS tasks
(RunTask); others are refused. Starts that fail are tried again and end in the dead-letter queue.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/what-is-scheduler.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.cloud import Cloud

SERVICE = "scheduler"


def register(cloud: Cloud) -> None:
    """Check what is asked for; fire what is due."""
    from localcloud.services.scheduler.checks import Checks
    from localcloud.services.scheduler.firing import Firing

    checks = Checks(cloud)
    for operation in ("CreateSchedule", "UpdateSchedule"):
        cloud.api.before(SERVICE, operation, checks.schedule)
    cloud.api.after(SERVICE, "UpdateSchedule", checks.updated)
    firing = Firing(cloud)
    cloud.parts[SERVICE] = firing
    cloud.background("scheduler", firing.run)
