# The SLO's error budget is spent at a rate: 1 spends it in exactly 30 days. What rings is a rate that
# lasts (the long window) and is still there (the short one); see docs/decisions/slo-alarms.md.
# A period may last up to seven days when it is the only one that is evaluated:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
locals {
  slo_budget = format("%.6f", (100 - var.slo.availability) / 100)
  slo_burns = {
    fast   = { severity = "critical", rate = 14.4, long = 3600, short = 300, words = "2 % of the month's error budget in an hour", windows = "1 h and 5 min" }
    medium = { severity = "critical", rate = 6, long = 21600, short = 1800, words = "5 % of the month's error budget in six hours", windows = "6 h and 30 min" }
    slow   = { severity = "warning", rate = 1, long = 259200, short = 21600, words = "10 % of the month's error budget in three days", windows = "3 days and 6 h" }
  }
  slo_queries = {
    requests = { metric = local.load_balancer_metrics.requests }
    unrouted = { metric = local.load_balancer_metrics.unrouted }
    own      = { metric = local.load_balancer_metrics.own_5xx }
    target   = { metric = local.load_balancer_metrics.target_5xx }
    bad      = { label = "Failed requests", expression = "FILL(target, 0) + FILL(own, 0)" }
    # RequestCount has no request that found no target (503).
    total = { label = "All requests", expression = "IF(FILL(requests, 0) + FILL(unrouted, 0) > bad, FILL(requests, 0) + FILL(unrouted, 0), bad)" }
  }

  slo_alarms = merge([for name, burn in local.slo_burns : { for window in ["long", "short"] :
    "slo-${name}-${window}" => {
      severity = null
      runbook  = "slo-${name}"
      means    = "One of the two windows of slo-${name}."
      first    = "nothing by itself."
      # A handful of failures is no trend, however few requests there were; the short window only says whether it goes on.
      queries = merge(local.slo_queries, { value = {
        label      = "Burn rate"
        expression = "IF(bad >= ${window == "long" ? var.slo.minimum_failures : 1}, bad / total / ${local.slo_budget}, 0)"
      } })
      period    = burn[window]
      periods   = 1
      threshold = burn.rate
      missing   = "notBreaching" # no request, no failure; the outside probe watches for silence
    }
  }]...)
}

resource "aws_cloudwatch_composite_alarm" "slo" {
  for_each = local.slo_burns

  alarm_name        = "${var.name}-slo-${each.key}"
  alarm_description = "So many requests fail that ${each.value.words} is gone (over ${each.value.windows}; ${var.slo.availability} % of requests must succeed). First: the dashboard ${var.name} shows whose 5xx they are; after a release, ansible-playbook rollback.yml. (docs/runbooks/alarms.md, slo-${each.key})"
  alarm_rule = join(" AND ", [
    for window in ["long", "short"] : "ALARM(\"${aws_cloudwatch_metric_alarm.this["slo-${each.key}-${window}"].alarm_name}\")"
  ])

  alarm_actions = [local.severity_arns[each.value.severity]]
  ok_actions    = [local.severity_arns[each.value.severity]]
}
