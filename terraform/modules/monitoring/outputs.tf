output "topic_arns" {
  description = "ARNs of the SNS topics: critical, warning, us_east_1 (critical, for alarms that exist there only) and cost."
  # Only once their policies are there: a service that is told of a topic tries it.
  value = merge(
    { for key, policy in aws_sns_topic_policy.regional : key => policy.arn },
    { for key, policy in aws_sns_topic_policy.us_east_1 : key => policy.arn },
  )
}

output "release_alarm_names" {
  description = "Alarms that a deployment watches while it bakes: short periods, still without traffic."
  value       = [for key in sort(keys(local.release_alarms)) : aws_cloudwatch_metric_alarm.this[key].alarm_name]
}

output "alarm_names" {
  description = "Names of all alarms of this module that tell somebody."
  value = sort(concat(
    [for key, alarm in local.alarms : aws_cloudwatch_metric_alarm.this[key].alarm_name if alarm.severity != null],
    [for alarm in aws_cloudwatch_composite_alarm.slo : alarm.alarm_name],
  ))
}
