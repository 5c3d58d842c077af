# Every alarm is an entry of one of the maps below: what it means, what to do first, its metric
# (or several, and `value` computed of them), and what silence means (`missing`):
#   notBreaching  the metric is only written when something happens
#   missing       silence is news of its own: it is told (insufficient_data) once there was data before,
#                 so that an environment nothing runs in yet rings nobody
#   breaching     silence is the alarm: only of schedules that somebody has turned on
# $0.10 a month for each metric that an alarm reads: https://aws.amazon.com/cloudwatch/pricing/
locals {
  alarms = merge(
    local.load_balancer_alarms,
    local.release_alarms,
    local.service_alarms,
    local.database_alarms,
    local.cache_alarms,
    local.network_alarms,
    local.backup_alarms,
    local.logical_backup_alarms,
    local.schedule_alarms,
    local.slo_alarms,
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name        = "${var.name}-${each.key}"
  alarm_description = "${each.value.means} First: ${each.value.first} (docs/runbooks/alarms.md, ${try(each.value.runbook, each.key)})"

  comparison_operator = try(each.value.comparison, "GreaterThanThreshold")
  threshold           = each.value.threshold
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = try(each.value.datapoints, each.value.periods)
  treat_missing_data  = each.value.missing

  namespace   = try(each.value.metric.namespace, null)
  metric_name = try(each.value.metric.name, null)
  dimensions  = try(each.value.metric.dimensions, null)
  statistic   = try(each.value.metric.stat, null)
  period      = can(each.value.metric) ? each.value.period : null

  dynamic "metric_query" {
    for_each = try(each.value.queries, {})
    content {
      id          = metric_query.key
      expression  = try(metric_query.value.expression, null)
      label       = try(metric_query.value.label, null)
      return_data = metric_query.key == "value"
      dynamic "metric" {
        for_each = try([metric_query.value.metric], [])
        content {
          namespace   = metric.value.namespace
          metric_name = metric.value.name
          dimensions  = metric.value.dimensions
          stat        = metric.value.stat
          period      = each.value.period
        }
      }
    }
  }

  # Alarms that a composite alarm or a deployment reads tell nobody by themselves.
  alarm_actions             = each.value.severity == null ? [] : [local.severity_arns[each.value.severity]]
  ok_actions                = each.value.severity == null ? [] : [local.severity_arns[each.value.severity]]
  insufficient_data_actions = each.value.severity != null && each.value.missing == "missing" ? [local.severity_arns[each.value.severity]] : []
}

locals {
  severity_arns = { for key, topic in aws_sns_topic.regional : key => topic.arn }
}
