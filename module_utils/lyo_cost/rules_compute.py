"""Prices of tasks, registry, database, cache and backups."""

from __future__ import annotations

from collections.abc import Iterable

from .resources import Resource
from .rules import Context, Part, rule

TASKS = "Tasks"
DATABASE = "Database"
CACHE = "Cache"
BACKUPS = "Backups"
STORAGE = "Registry and buckets"

FREE_INSIGHTS_DAYS = 7
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.Summary.html
SMALL_CLASS_VCPUS = 2


@rule("aws_ecs_service")
def service(resource: Resource, context: Context) -> Iterable[Part]:
    """The tasks that run: at least the scaling's minimum, each of the size the outputs name.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/AWS_Fargate.html
    """
    outputs = context.environment.outputs
    if "cpu" not in outputs or "memory" not in outputs:
        raise LookupError("the output runbooks does not say how large a task is")
    for unit, size in (("vcpu", outputs["cpu"]), ("gb", outputs["memory"])):
        kind = "arm" if context.text("task_architecture") == "ARM64" else "x86"
        hours = context.tasks() * context["hours"]
        yield Part(TASKS, f"fargate-{kind}-{unit}-hour", hours * float(size) / 1024)


@rule("aws_db_instance")
def database(resource: Resource, context: Context) -> Iterable[Part]:
    """Instance and storage, twice with a standby; backups beyond the storage; the password.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.MultiAZSingleStandby.html
    """
    copies = 2 if resource.get("multi_az", False) else 1
    storage = float(resource.get("allocated_storage", 0))
    yield Part(DATABASE, f"rds-{resource.get('instance_class')}-hour", copies * context["hours"])
    yield Part(DATABASE, f"rds-{resource.get('storage_type', 'gp3')}-gb-month", copies * storage)
    if int(resource.get("backup_retention_period", 0)) > 0:
        more = max(0.0, context["database_backup_gb"] - storage)
        yield Part(BACKUPS, "rds-backup-gb-month", more)
    # A longer retention than the free week is CloudWatch Database Insights' advanced mode.
    if int(resource.get("performance_insights_retention_period", 0)) > FREE_INSIGHTS_DAYS:
        hours = SMALL_CLASS_VCPUS * context["hours"]
        yield Part(DATABASE, "database-insights-vcpu-hour", hours)
    interval = int(resource.get("monitoring_interval", 0))
    if interval > 0:  # Enhanced Monitoring writes to CloudWatch Logs
        written = context["enhanced_monitoring_gb"] * 60 / interval
        yield Part("Logs, metrics and alarms", "logs-ingested-gb", written)
    if resource.get("manage_master_user_password", False):
        yield Part("Secrets and keys", "secret-month", 1)


@rule("aws_elasticache_replication_group")
def cache(resource: Resource, context: Context) -> Iterable[Part]:
    """Every node alike, and the snapshots."""
    nodes = int(resource.get("num_cache_clusters", 1))
    name = f"cache-{resource.get('engine', 'redis')}-{resource.get('node_type')}-hour"
    yield Part(CACHE, name, nodes * context["hours"])
    if int(resource.get("snapshot_retention_limit", 0)) > 0:
        yield Part(BACKUPS, "cache-snapshot-gb-month", context["cache_snapshot_gb"])


@rule("aws_backup_plan")
def backup_plan(resource: Resource, context: Context) -> Iterable[Part]:
    """Recovery points where the plan keeps them, and their copies in another region.

    https://docs.aws.amazon.com/aws-backup/latest/devguide/cross-region-backup.html
    """
    yield Part(BACKUPS, "rds-backup-gb-month", context["backup_vault_gb"])
    copied = any(
        entry for block in resource.block("rule") for entry in block.get("copy_action") or []
    )
    if copied:
        region = str(context.text("backup_copy_region"))
        yield Part(BACKUPS, "rds-backup-gb-month", context["backup_vault_gb"], region=region)
        yield Part(BACKUPS, "transfer-region-gb", context["backup_copy_gb"])


@rule("aws_backup_restore_testing_selection")
def restore_testing(resource: Resource, context: Context) -> Iterable[Part]:
    """Each test, and the hours that the restored instance lives: without a standby.

    https://docs.aws.amazon.com/aws-backup/latest/devguide/restore-testing.html
    """
    plans = context.environment.of("aws_backup_restore_testing_plan")
    tests = sum(runs_a_month(str(plan.get("schedule_expression", ""))) for plan in plans)
    yield Part(BACKUPS, "backup-restore-test", tests)
    hours = tests * float(resource.get("validation_window_hours", 0))
    for instance in context.environment.of("aws_db_instance"):
        yield Part(BACKUPS, f"rds-{instance.get('instance_class')}-hour", hours)


def runs_a_month(schedule: str) -> float:
    """Return how often a schedule with one time of day runs a month.

    :param schedule: ``cron(minute hour day-of-month month day-of-week year)``.
    :raises LookupError: it is another kind of schedule.
    """
    fields = schedule.removeprefix("cron(").removesuffix(")").split()
    if not schedule.startswith("cron(") or len(fields) != 6:
        raise LookupError(f"nobody counts how often {schedule!r} runs")
    _, _, day, month, weekday, _ = fields
    months = len(month.split(",")) if month != "*" else 12
    if day not in ("*", "?"):
        return len(day.split(",")) * months / 12
    if weekday not in ("*", "?"):
        return len(weekday.split(",")) * 365 / 7 * months / 144
    return 365 * months / 144


@rule("aws_scheduler_schedule")
def schedule(resource: Resource, context: Context) -> Iterable[Part]:
    """Starts are free up to 14 million a month; the task that one starts, and its metrics, are not.

    https://aws.amazon.com/eventbridge/pricing/
    """
    if resource.get("state", "ENABLED") != "ENABLED":
        return
    hours = runs_a_month(str(resource.get("schedule_expression", ""))) * context["ops_task_hours"]
    kind = "arm" if context.text("task_architecture") == "ARM64" else "x86"
    yield Part(TASKS, f"fargate-{kind}-vcpu-hour", hours)
    yield Part(TASKS, f"fargate-{kind}-gb-hour", 2 * hours)
    yield Part("Logs, metrics and alarms", "cloudwatch-metric", context["schedule_metrics"])


@rule("aws_ecr_repository")
def repository(resource: Resource, context: Context) -> Iterable[Part]:
    """The images that its lifecycle keeps."""
    yield Part(STORAGE, "ecr-gb-month", context["image_gb"])


@rule("aws_s3_bucket")
def bucket(resource: Resource, context: Context) -> Iterable[Part]:
    """Small objects: logs and static pages; or logical backups, which object lock tells apart."""
    if resource.get("object_lock_enabled", False):
        yield Part(BACKUPS, "s3-gb-month", context["logical_backup_gb"])
        return
    yield Part(STORAGE, "s3-gb-month", context["bucket_gb"])
    yield Part(STORAGE, "s3-put-million", context["bucket_put_millions"])
