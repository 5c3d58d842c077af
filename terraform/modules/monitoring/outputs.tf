output "topic_arns" {
  description = "ARNs of the SNS topics: critical, warning, us_east_1 (critical, for alarms that exist there only) and cost."
  # Only once their policies are there: a service that is told of a topic tries it.
  value = merge(
    { for key, policy in aws_sns_topic_policy.regional : key => policy.arn },
    { for key, policy in aws_sns_topic_policy.us_east_1 : key => policy.arn },
  )
}
