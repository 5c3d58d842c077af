"""Every resource through its rule: quantities, free units, and what has no price."""

from __future__ import annotations

import pytest
from ansible.module_utils.lyo_cost.resources import Environment, Resource, from_plan, from_state
from ansible.module_utils.lyo_cost.rules_compute import runs_a_month

from .cost_world import environment, estimator, price, quantity_of, resource, usd_of

NAT = (price("nat-gateway-hour", 0.05), price("nat-gateway-gb", 0.1))


def test_two_gateways_share_the_traffic_and_double_the_hours() -> None:
    one = environment(resource("aws_nat_gateway", "a"))
    two = environment(resource("aws_nat_gateway", "a"), resource("aws_nat_gateway", "b"))
    assert usd_of(estimator(*NAT).estimate(one)) == {"nat-gateway-hour": 5, "nat-gateway-gb": 2}
    assert usd_of(estimator(*NAT).estimate(two)) == {"nat-gateway-hour": 10, "nat-gateway-gb": 2}


def test_a_line_names_its_resources_and_what_was_assumed() -> None:
    lines = estimator(*NAT).estimate(environment(resource("aws_nat_gateway", "a"))).lines
    data = next(line for line in lines if line.price.id == "nat-gateway-gb").as_dict()
    assert data["resources"] == ["aws_nat_gateway.a"]
    assert data["assumed"] == ["restaurants", "nat_gb_per_restaurant"]
    assert data["line"] == "NAT gateways"
    assert data["as_of"] == "2026-01-02"


def test_free_units_are_taken_off_once_for_the_account() -> None:
    secrets = [resource("aws_secretsmanager_secret", name) for name in "abc"]
    result = estimator(price("secret-month", 0.4, free=2)).estimate(environment(*secrets))
    assert quantity_of(result) == {"secret-month": 3}
    assert usd_of(result) == {"secret-month": 0.4}


def test_free_units_of_one_price_are_shared_by_the_budget_s_lines() -> None:
    resources = (
        resource("aws_db_instance", instance_class="c", storage_type="gp3"),
        resource("aws_backup_restore_testing_selection", validation_window_hours=50),
        resource("aws_backup_restore_testing_plan", schedule_expression="cron(0 9 2 * ? *)"),
    )
    prices = (
        price("rds-c-hour", 1.0, free=120),
        price("rds-gp3-gb-month"),
        price("backup-restore-test"),
    )
    result = estimator(*prices, free={"aws_backup_restore_testing_plan": ""}).estimate(
        environment(*resources)
    )
    hours = {line.line: line.usd for line in result.lines if line.price.id == "rds-c-hour"}
    assert hours == {"Database": 0, "Backups": 30}


def test_an_unknown_type_is_listed_and_a_free_one_is_not() -> None:
    result = estimator(free={"aws_subnet": "free"}).estimate(
        environment(resource("aws_subnet"), resource("aws_msk_cluster"))
    )
    assert [(entry.address, entry.why) for entry in result.unpriced] == [
        ("aws_msk_cluster.this", "no rule prices it")
    ]
    assert result.total == 0


def test_a_missing_price_is_listed_with_its_region() -> None:
    result = estimator(price("nat-gateway-hour", region="us-east-1")).estimate(
        environment(resource("aws_eip"))
    )
    assert [entry.why for entry in result.unpriced] == ["no price public-ipv4-hour for eu-south-1"]


FARGATE = (price("fargate-x86-vcpu-hour", 2.0), price("fargate-x86-gb-hour", 1.0))
TARGET = resource("aws_appautoscaling_target", service_namespace="ecs", min_capacity=2)


def test_tasks_cost_their_size_times_the_scaling_s_minimum() -> None:
    result = estimator(*FARGATE, free={TARGET.type: "free"}).estimate(
        environment(resource("aws_ecs_service"), TARGET)
    )
    assert quantity_of(result) == {"fargate-x86-vcpu-hour": 100, "fargate-x86-gb-hour": 200}
    assert result.total == 400


def test_scaling_and_releases_add_hours() -> None:
    busy = estimator(
        *FARGATE, free={TARGET.type: "free"}, tasks_over_minimum=0.5, releases=5, release_hours=10
    )
    result = busy.estimate(environment(resource("aws_ecs_service"), TARGET))
    assert quantity_of(result)["fargate-x86-vcpu-hour"] == 200


def test_arm_tasks_have_their_own_price() -> None:
    arm = (price("fargate-arm-vcpu-hour"), price("fargate-arm-gb-hour"))
    result = estimator(*arm, free={TARGET.type: ""}, task_architecture="ARM64").estimate(
        environment(resource("aws_ecs_service"), TARGET)
    )
    assert set(usd_of(result)) == {"fargate-arm-vcpu-hour", "fargate-arm-gb-hour"}


def test_tasks_of_unknown_size_are_not_priced() -> None:
    result = estimator(*FARGATE).estimate(Environment((resource("aws_ecs_service"),), {}))
    assert "how large a task is" in result.unpriced[0].why


DATABASE = {
    "instance_class": "db.t3.micro",
    "storage_type": "gp3",
    "allocated_storage": 20,
    "backup_retention_period": 7,
    "manage_master_user_password": True,
}
DATABASE_PRICES = (
    price("rds-db.t3.micro-hour"),
    price("rds-gp3-gb-month"),
    price("rds-backup-gb-month"),
    price("secret-month"),
    price("database-insights-vcpu-hour"),
)


def database(**changes: object) -> dict[str, float]:
    entry = resource("aws_db_instance", **{**DATABASE, **changes})
    return quantity_of(estimator(*DATABASE_PRICES).estimate(environment(entry)))


def test_a_standby_doubles_instance_and_storage_but_no_backup() -> None:
    assert database(multi_az=False) == {
        "rds-db.t3.micro-hour": 100,
        "rds-gp3-gb-month": 20,
        "rds-backup-gb-month": 5,
        "secret-month": 1,
    }
    double = database(multi_az=True)
    assert double["rds-db.t3.micro-hour"] == 200
    assert double["rds-gp3-gb-month"] == 40
    assert double["rds-backup-gb-month"] == 5


def test_backups_as_large_as_the_storage_are_free() -> None:
    assert database(allocated_storage=30)["rds-backup-gb-month"] == 0
    assert "rds-backup-gb-month" not in database(backup_retention_period=0)


def test_what_runs_by_itself_costs_its_task_and_its_metrics() -> None:
    prices = [
        price(name)
        for name in ("fargate-x86-vcpu-hour", "fargate-x86-gb-hour", "cloudwatch-metric")
    ]
    usage = {"ops_task_hours": 2.0, "schedule_metrics": 6.0}
    monthly = {"state": "ENABLED", "schedule_expression": "cron(0 5 3 * ? *)"}
    on = resource("aws_scheduler_schedule", **monthly)
    assert quantity_of(estimator(*prices, **usage).estimate(environment(on))) == {
        "fargate-x86-vcpu-hour": 2,
        "fargate-x86-gb-hour": 4,
        "cloudwatch-metric": 6,
    }
    off = resource("aws_scheduler_schedule", **{**monthly, "state": "DISABLED"})
    assert quantity_of(estimator(*prices, **usage).estimate(environment(off))) == {}


def test_a_bucket_with_object_lock_holds_the_backups() -> None:
    prices = (price("s3-gb-month"), price("s3-put-million"))
    usage = {"logical_backup_gb": 20.0, "bucket_gb": 1.0, "bucket_put_millions": 0.1}
    backups = resource("aws_s3_bucket", object_lock_enabled=True)
    logs = resource("aws_s3_bucket", object_lock_enabled=False)
    assert quantity_of(estimator(*prices, **usage).estimate(environment(backups))) == {
        "s3-gb-month": 20
    }
    assert quantity_of(estimator(*prices, **usage).estimate(environment(logs))) == {
        "s3-gb-month": 1,
        "s3-put-million": 0.1,
    }


def test_a_week_of_insights_is_free() -> None:
    assert "database-insights-vcpu-hour" not in database(performance_insights_retention_period=7)
    assert database(performance_insights_retention_period=31)["database-insights-vcpu-hour"] == 200


def test_every_cache_node_is_paid() -> None:
    group = resource(
        "aws_elasticache_replication_group", engine="valkey", node_type="n", num_cache_clusters=2
    )
    result = estimator(price("cache-valkey-n-hour")).estimate(environment(group))
    assert quantity_of(result) == {"cache-valkey-n-hour": 200}


def test_a_public_load_balancer_has_an_address_in_each_zone() -> None:
    prices = [
        price(name) for name in ("alb-hour", "alb-lcu-hour", "public-ipv4-hour", "transfer-out-gb")
    ] + [price("transfer-zone-gb")]
    subnets = [resource("aws_subnet", name, tags={"Tier": "public"}) for name in "abc"]
    free = {"aws_subnet": "free"}
    public = estimator(*prices, free=free).estimate(environment(resource("aws_lb"), *subnets))
    assert quantity_of(public) == {
        "alb-hour": 100,
        "alb-lcu-hour": 50,
        "public-ipv4-hour": 300,
        "transfer-out-gb": 0.01,
        "transfer-zone-gb": 20,
    }
    inside = estimator(*prices, free=free).estimate(
        environment(resource("aws_lb", internal=True), *subnets)
    )
    assert "public-ipv4-hour" not in quantity_of(inside)


def test_only_interface_endpoints_cost_something() -> None:
    prices = (price("vpc-endpoint-hour"), price("vpc-endpoint-gb"))
    gateway = resource("aws_vpc_endpoint", vpc_endpoint_type="Gateway")
    interface = resource("aws_vpc_endpoint", vpc_endpoint_type="Interface", subnet_ids=["a", "b"])
    with_both = estimator(*prices, endpoint_gb=3).estimate(environment(gateway, interface))
    assert quantity_of(with_both) == {"vpc-endpoint-hour": 200, "vpc-endpoint-gb": 3}


@pytest.mark.parametrize(
    ("attributes", "features"),
    [
        ({"type": "HTTP"}, 0),
        ({"type": "HTTPS"}, 1),
        ({"type": "HTTPS_STR_MATCH"}, 2),
        ({"type": "HTTPS_STR_MATCH", "request_interval": 10}, 3),
        ({"type": "HTTPS", "measure_latency": True}, 2),
    ],
)
def test_features_of_a_health_check(attributes: dict[str, object], features: int) -> None:
    prices = (
        price("health-check-month", region="global"),
        price("health-check-feature-month", region="global"),
    )
    result = estimator(*prices).estimate(
        environment(resource("aws_route53_health_check", **attributes))
    )
    assert quantity_of(result).get("health-check-feature-month", 0) == features


@pytest.mark.parametrize(
    ("attributes", "metrics"),
    [
        ({}, 1),
        ({"metric_query": [{"metric": [{}]}, {"metric": [{}]}, {"expression": "a/b"}]}, 2),
        (
            {
                "metric_query": [
                    {"metric": [{}]},
                    {"expression": "ANOMALY_DETECTION_BAND(m, 2)"},
                ]
            },
            3,
        ),
    ],
)
def test_an_alarm_costs_by_the_metrics_that_it_reads(
    attributes: dict[str, object], metrics: int
) -> None:
    result = estimator(price("cloudwatch-alarm")).estimate(
        environment(resource("aws_cloudwatch_metric_alarm", **attributes))
    )
    assert quantity_of(result) == {"cloudwatch-alarm": metrics}


def test_a_fast_alarm_has_its_own_price() -> None:
    fast = resource("aws_cloudwatch_metric_alarm", period=10)
    result = estimator(price("cloudwatch-alarm-fast")).estimate(environment(fast))
    assert result.unpriced == ()


def test_container_insights_by_kind() -> None:
    prices = (
        price("cloudwatch-metric"),
        price("cloudwatch-insights-enhanced-metric"),
        price("logs-ingested-gb"),
    )
    usage = {"insights_metrics": 5, "insights_enhanced_metrics": 50, "insights_log_gb": 1}

    def of(value: str) -> dict[str, float]:
        setting = [{"name": "containerInsights", "value": value}]
        cluster = resource("aws_ecs_cluster", setting=setting)
        return quantity_of(estimator(*prices, **usage).estimate(environment(cluster)))

    assert of("enabled") == {"cloudwatch-metric": 5, "logs-ingested-gb": 1}
    assert of("enhanced") == {"cloudwatch-insights-enhanced-metric": 50, "logs-ingested-gb": 1}
    assert of("disabled") == {}


def test_a_web_acl_costs_by_its_rules_and_some_groups_cost_more() -> None:
    def group(name: str) -> dict[str, object]:
        return {"statement": [{"managed_rule_group_statement": [{"name": name}]}]}

    acl = resource(
        "aws_wafv2_web_acl",
        rule=[group("AWSManagedRulesCommonRuleSet"), group("AWSManagedRulesBotControlRuleSet"), {}],
    )
    prices = [price(n) for n in ("waf-acl-month", "waf-rule-month", "waf-bot-control-month")]
    result = estimator(*prices, price("waf-request-million")).estimate(environment(acl))
    assert quantity_of(result) == {
        "waf-acl-month": 1,
        "waf-rule-month": 3,
        "waf-bot-control-month": 1,
        "waf-request-million": 0.01,
    }


def test_copies_of_backups_are_paid_where_they_are_kept() -> None:
    usage = {"backup_vault_gb": 10, "backup_copy_gb": 4, "backup_copy_region": "eu-central-1"}
    prices = (
        price("rds-backup-gb-month", 1.0),
        price("rds-backup-gb-month", 2.0, region="eu-central-1"),
        price("transfer-region-gb"),
    )
    plan = resource("aws_backup_plan", rule=[{"copy_action": [{"destination_vault_arn": "x"}]}])
    alone = resource("aws_backup_plan", rule=[{"copy_action": []}])
    assert estimator(*prices, **usage).estimate(environment(plan)).total == 10 + 20 + 4
    assert estimator(*prices, **usage).estimate(environment(alone)).total == 10


def test_features_of_guardduty_are_paid_where_they_are_on() -> None:
    prices = (price("guardduty-rds-vcpu-month"), price("guardduty-s3-million"))
    database_instance = resource("aws_db_instance", instance_class="c")

    def of(**attributes: str) -> dict[str, float]:
        feature = Resource("feature", "aws_guardduty_detector_feature", attributes)
        found = estimator(*prices, s3_event_millions=2).estimate(
            environment(feature, database_instance)
        )
        return quantity_of(found)

    assert of(name="RDS_LOGIN_EVENTS", status="ENABLED") == {"guardduty-rds-vcpu-month": 2}
    assert of(name="S3_DATA_EVENTS", status="ENABLED") == {"guardduty-s3-million": 2}
    assert of(name="S3_DATA_EVENTS", status="DISABLED") == {}


# The documents.


def test_a_plan_counts_what_it_leaves_behind() -> None:
    document = {
        "resource_changes": [
            {
                "address": "module.vpc.aws_eip.nat[0]",
                "type": "aws_eip",
                "mode": "managed",
                "change": {"after": {"domain": "vpc"}},
            },
            {"address": "gone", "type": "aws_eip", "mode": "managed", "change": {"after": None}},
            {"address": "data.x", "type": "aws_region", "mode": "data", "change": {"after": {}}},
        ],
        "output_changes": {"runbooks": {"after": {"cpu": 512}}},
    }
    found = from_plan(document)
    assert [entry.address for entry in found.resources] == ["module.vpc.aws_eip.nat[0]"]
    assert found.outputs == {"cpu": 512}


def test_a_state_counts_every_instance_under_its_address() -> None:
    document = {
        "version": 4,
        "resources": [
            {
                "module": "module.vpc",
                "mode": "managed",
                "type": "aws_eip",
                "name": "nat",
                "instances": [
                    {"index_key": "eu-south-1a", "attributes": {}},
                    {"index_key": 1, "attributes": {}},
                    {"attributes": None},
                ],
            },
            {"mode": "data", "type": "aws_region", "name": "x", "instances": [{}]},
        ],
        "outputs": {"runbooks": {"value": {"memory": 1024}}},
    }
    found = from_state(document)
    assert [entry.address for entry in found.resources] == [
        'module.vpc.aws_eip.nat["eu-south-1a"]',
        "module.vpc.aws_eip.nat[1]",
        "module.vpc.aws_eip.nat",
    ]
    assert found.outputs == {"memory": 1024}


def test_other_documents_are_refused() -> None:
    with pytest.raises(ValueError, match="this is no plan"):
        from_plan({"version": 4})
    with pytest.raises(ValueError, match="version 4, but of 3"):
        from_state({"version": 3})


def test_each_part_names_only_its_own_assumptions() -> None:
    names = ("alb-hour", "alb-lcu-hour", "public-ipv4-hour", "transfer-out-gb", "transfer-zone-gb")
    balancer = resource("aws_lb", subnets=["a", "b"])
    result = estimator(*map(price, names)).estimate(environment(balancer))
    assumed = {line.price.id: line.assumed for line in result.lines}
    assert assumed["public-ipv4-hour"] == ()
    assert assumed["alb-lcu-hour"] == ("balancer_lcu",)
    assert assumed["transfer-zone-gb"] == ("restaurants", "zone_gb_per_restaurant")


@pytest.mark.parametrize(
    ("name", "gb"),
    [
        ("/lyo-production/vpc-flow-logs", 1.0),
        ("aws-waf-logs-lyo", 0.01),
        ("/aws/rds/instance/lyo/postgresql", 3.0),
        ("/lyo-production/application", 5.0),
        ("/lyo-production/findings", None),
    ],
)
def test_logs_are_told_apart_by_their_names(name: str, gb: float | None) -> None:
    usage = {
        "flow_log_gb": 1,
        "waf_log_kb_per_request": 1,
        "database_log_gb": 3,
        "log_gb_per_restaurant": 0.5,
        "log_compression": 0.1,
    }
    kept = {"name": name, "retention_in_days": 60}
    group = Resource("group", "aws_cloudwatch_log_group", kept)
    prices = (price("logs-ingested-gb"), price("logs-stored-gb-month"))
    found = quantity_of(estimator(*prices, **usage).estimate(environment(group)))
    if gb is None:
        assert found == {}
    else:
        assert found["logs-ingested-gb"] == gb
        assert found["logs-stored-gb-month"] == round(gb * 2 * 0.1, 4)


@pytest.mark.parametrize(
    ("schedule", "runs"),
    [
        ("cron(0 9 2 * ? *)", 1),
        ("cron(0 9 1,15 * ? *)", 2),
        ("cron(0 9 2 1,7 ? *)", 1 / 6),
        ("cron(0 9 ? * SUN *)", 365 / 84),
        ("cron(0 9 * * ? *)", 365 / 12),
    ],
)
def test_how_often_a_schedule_runs(schedule: str, runs: float) -> None:
    assert runs_a_month(schedule) == pytest.approx(runs)


def test_restore_tests_follow_their_schedule_and_run_without_a_standby() -> None:
    resources = (
        resource("aws_backup_restore_testing_selection", validation_window_hours=4),
        resource("aws_backup_restore_testing_plan", schedule_expression="cron(0 9 2 * ? *)"),
        resource("aws_db_instance", instance_class="c", multi_az=True),
    )
    free = {"aws_backup_restore_testing_plan": "", "aws_db_instance": ""}
    prices = (price("backup-restore-test"), price("rds-c-hour"))
    result = estimator(*prices, free=free).estimate(environment(*resources))
    assert quantity_of(result) == {"backup-restore-test": 1, "rds-c-hour": 4}
    other = resource("aws_backup_restore_testing_plan", schedule_expression="rate(1 day)")
    result = estimator(*prices, free=free).estimate(environment(resources[0], other))
    assert [entry.why for entry in result.unpriced] == [
        "nobody counts how often 'rate(1 day)' runs"
    ]


@pytest.mark.parametrize(("interval", "gb"), [(60, 0.2), (30, 0.4), (0, None)])
def test_enhanced_monitoring_costs_by_its_interval(interval: int, gb: float | None) -> None:
    entry = resource("aws_db_instance", **DATABASE, monitoring_interval=interval)
    prices = (*DATABASE_PRICES, price("logs-ingested-gb"))
    found = estimator(*prices, enhanced_monitoring_gb=0.2).estimate(environment(entry))
    assert quantity_of(found).get("logs-ingested-gb") == gb


@pytest.mark.parametrize(("kind", "unpriced"), [("ACCOUNT", 0), ("ACCOUNT_UNUSED_ACCESS", 1)])
def test_only_unused_access_costs_something(kind: str, unpriced: int) -> None:
    analyzer = resource("aws_accessanalyzer_analyzer", type=kind)
    assert len(estimator().estimate(environment(analyzer)).unpriced) == unpriced
