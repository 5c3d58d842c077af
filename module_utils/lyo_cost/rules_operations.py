"""Prices of logs, metrics, alarms, and of what guards the environment."""

from __future__ import annotations

from collections.abc import Iterable

from .resources import Resource
from .rules import Context, Part, rule
from .rules_network import KB_IN_GB

MONITORING = "Logs, metrics and alarms"
SECURITY = "WAF and GuardDuty"
SECRETS = "Secrets and keys"

DAYS_A_MONTH = 30
# Managed groups that cost more than a rule: https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html
DEAR_GROUPS = (
    "AWSManagedRulesBotControlRuleSet",
    "AWSManagedRulesATPRuleSet",
    "AWSManagedRulesACFPRuleSet",
)


@rule("aws_cloudwatch_log_group")
def log_group(resource: Resource, context: Context) -> Iterable[Part]:
    """What is written in a month, and what is kept of it."""
    if _written(resource, context) is None:
        return
    yield Part(MONITORING, "logs-ingested-gb", _written(resource, context) or 0)
    days = int(resource.get("retention_in_days", 0)) or 10 * 365
    kept = (_written(resource, context) or 0) * days / DAYS_A_MONTH * context["log_compression"]
    yield Part(MONITORING, "logs-stored-gb-month", kept)


def _written(group: Resource, context: Context) -> float | None:
    """GB a month that a log group takes, None for one of kilobytes, such as events and findings."""
    name = f"{group.get('name', '')} {group.address}"
    if "flow" in name:
        return context["flow_log_gb"]
    if "waf" in name:
        return context.requests() * context["waf_log_kb_per_request"] / KB_IN_GB
    if "/aws/rds/" in name:
        groups = [g for g in context.environment.of("aws_cloudwatch_log_group") if _of_rds(g)]
        return context["database_log_gb"] / len(groups)
    if "application" in name:
        return context["restaurants"] * context["log_gb_per_restaurant"]
    return None


def _of_rds(group: Resource) -> bool:
    return "/aws/rds/" in str(group.get("name", ""))


@rule("aws_ecs_cluster")
def cluster(resource: Resource, context: Context) -> Iterable[Part]:
    """Container Insights, where it is on.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/ContainerInsights.html
    """
    setting = {s.get("name"): s.get("value") for s in resource.block("setting")}
    insights = setting.get("containerInsights", "disabled")
    if insights == "enhanced":
        metrics = context["insights_enhanced_metrics"]
        yield Part(MONITORING, "cloudwatch-insights-enhanced-metric", metrics)
    elif insights == "enabled":
        yield Part(MONITORING, "cloudwatch-metric", context["insights_metrics"])
    if insights != "disabled":
        yield Part(MONITORING, "logs-ingested-gb", context["insights_log_gb"])


@rule("aws_cloudwatch_metric_alarm")
def alarm(resource: Resource, context: Context) -> Iterable[Part]:
    """Each metric that the alarm reads; a band of expected values counts as two more.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create-alarm-on-metric-math-expression.html
    """
    queries = resource.block("metric_query")
    metrics = sum(bool(query.get("metric")) for query in queries) if queries else 1
    bands = sum("ANOMALY_DETECTION_BAND" in str(q.get("expression") or "") for q in queries)
    fast = int(resource.get("period", 60)) < 60
    price = "cloudwatch-alarm-fast" if fast else "cloudwatch-alarm"
    yield Part(MONITORING, price, max(1, metrics) + 2 * bands)


@rule("aws_cloudwatch_composite_alarm")
def composite_alarm(resource: Resource, context: Context) -> Iterable[Part]:
    """One each; what it is made of is priced itself."""
    yield Part(MONITORING, "cloudwatch-composite-alarm", 1)


@rule("aws_cloudwatch_dashboard")
def dashboard(resource: Resource, context: Context) -> Iterable[Part]:
    """One each."""
    yield Part(MONITORING, "cloudwatch-dashboard", 1)


@rule("aws_cloudwatch_log_metric_filter")
def metric_filter(resource: Resource, context: Context) -> Iterable[Part]:
    """The custom metric that it makes."""
    yield Part(MONITORING, "cloudwatch-metric", 1)


@rule("aws_synthetics_canary")
def canary(resource: Resource, context: Context) -> Iterable[Part]:
    """Its runs."""
    runs = context["hours"] * context["canary_runs_per_hour"]
    yield Part(MONITORING, "synthetics-run", runs)


@rule("aws_sns_topic_subscription")
def subscription(resource: Resource, context: Context) -> Iterable[Part]:
    """E-mails; other protocols of AWS's own services are free."""
    if str(resource.get("protocol", "")).startswith("email"):
        yield Part(MONITORING, "sns-email-thousand", context["emails"])


@rule("aws_wafv2_web_acl")
def web_acl(resource: Resource, context: Context) -> Iterable[Part]:
    """The list, its rules and groups, and every request that it looks at."""
    rules = resource.block("rule")
    names = [_managed_group(entry) for entry in rules]
    dear = sum(name in DEAR_GROUPS for name in names)
    yield Part(SECURITY, "waf-acl-month", 1)
    yield Part(SECURITY, "waf-rule-month", len(rules))
    if dear:
        yield Part(SECURITY, "waf-bot-control-month", dear)
    yield Part(SECURITY, "waf-request-million", context.requests() / 1e6)


def _managed_group(entry: object) -> str:
    """Return the managed rule group of a rule, empty where it is another kind."""
    if not isinstance(entry, dict):
        return ""
    for statement in entry.get("statement") or []:
        for group in (statement or {}).get("managed_rule_group_statement") or []:
            return str((group or {}).get("name", ""))
    return ""


@rule("aws_guardduty_detector")
def detector(resource: Resource, context: Context) -> Iterable[Part]:
    """The sources that every detector reads."""
    if not resource.get("enable", True):
        return
    yield Part(SECURITY, "guardduty-cloudtrail-million", context["trail_event_millions"])
    yield Part(SECURITY, "guardduty-flow-gb", context["flow_dns_gb"])


@rule("aws_guardduty_detector_feature")
def detector_feature(resource: Resource, context: Context) -> Iterable[Part]:
    """A feature that is on.

    https://docs.aws.amazon.com/guardduty/latest/ug/guardduty-features-activation-model.html
    """
    if resource.get("status", "ENABLED") != "ENABLED":
        return
    name = str(resource.get("name", ""))
    if name == "RDS_LOGIN_EVENTS":
        instances = len(context.environment.of("aws_db_instance"))
        yield Part(SECURITY, "guardduty-rds-vcpu-month", instances * 2)
    elif name == "S3_DATA_EVENTS":
        yield Part(SECURITY, "guardduty-s3-million", context["s3_event_millions"])
    elif name in ("RUNTIME_MONITORING", "ECS_FARGATE_AGENT_MANAGEMENT"):
        cpu = float(context.environment.outputs.get("cpu", 0)) / 1024
        yield Part(SECURITY, "guardduty-fargate-vcpu-month", context.tasks() * cpu)


@rule("aws_secretsmanager_secret")
def secret(resource: Resource, context: Context) -> Iterable[Part]:
    """One each."""
    yield Part(SECRETS, "secret-month", 1)


@rule("aws_kms_key", "aws_kms_replica_key")
def key(resource: Resource, context: Context) -> Iterable[Part]:
    """A key of the account's own."""
    yield Part(SECRETS, "kms-key-month", 1)
    yield Part(SECRETS, "kms-request-million", context["kms_request_millions"])


@rule("aws_accessanalyzer_analyzer")
def access_analyzer(resource: Resource, context: Context) -> Iterable[Part]:
    """External access is analyzed for nothing; unused access costs by role and user.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/what-is-access-analyzer.html
    """
    if "UNUSED" in str(resource.get("type", "")):
        raise LookupError("an analyzer of unused access is billed by role and user")
    return ()
