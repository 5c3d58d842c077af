# What happens to the instance that no metric says: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html
resource "aws_db_event_subscription" "this" {
  count = var.notifications != null ? 1 : 0

  name        = var.name
  sns_topic   = var.notifications.topic_arn
  source_type = "db-instance"
  source_ids  = [local.serving.identifier]
  event_categories = [
    "availability",
    "deletion",
    "failover",
    "failure",
    "low storage",
    "maintenance",
    "notification",
    "recovery",
    "security patching",
  ]
}
