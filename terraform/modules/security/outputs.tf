output "web_acl" {
  description = "The web ACL in front of the load balancer: arn, name, and the log group with what it blocked or counted."
  value = {
    arn       = aws_wafv2_web_acl.this.arn
    name      = aws_wafv2_web_acl.this.name
    log_group = aws_cloudwatch_log_group.waf.name
  }
}

output "detector_id" {
  description = "Id of the GuardDuty detector; null where it is not this environment's."
  value       = one(aws_guardduty_detector.this[*].id)
}

output "alarm_arns" {
  description = "ARNs of the WAF's alarms."
  value       = [aws_cloudwatch_metric_alarm.blocked.arn, aws_cloudwatch_metric_alarm.webhook_blocked.arn]
}

output "alarm_names" {
  description = "Names of the WAF's alarms: blocked requests, and blocked requests of the webhook."
  value = {
    blocked         = aws_cloudwatch_metric_alarm.blocked.alarm_name
    webhook_blocked = aws_cloudwatch_metric_alarm.webhook_blocked.alarm_name
  }
}
