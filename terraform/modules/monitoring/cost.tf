# https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-managing-costs.html
resource "aws_budgets_budget" "this" {
  name         = var.name
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = format("%.2f", var.budget.monthly_usd)
  limit_unit   = "USD"

  dynamic "notification" {
    for_each = { actual_80 = ["ACTUAL", 80], actual_100 = ["ACTUAL", 100], forecast_100 = ["FORECASTED", 100] }
    content {
      notification_type         = notification.value[0]
      comparison_operator       = "GREATER_THAN"
      threshold                 = notification.value[1]
      threshold_type            = "PERCENTAGE"
      subscriber_sns_topic_arns = [aws_sns_topic.us_east_1["cost"].arn]
    }
  }

  # Budgets tries the topic when it is told of it.
  depends_on = [aws_sns_topic_policy.us_east_1]
}

# An account may have one monitor of all its services, and AWS makes one itself in accounts that turned
# Cost Explorer on: budget.anomaly_monitor_arn names it then.
# https://docs.aws.amazon.com/cost-management/latest/userguide/management-limits.html
resource "aws_ce_anomaly_monitor" "services" {
  count = var.budget.anomaly_detection && var.budget.anomaly_monitor_arn == null ? 1 : 0

  name              = var.name
  monitor_type      = "DIMENSIONAL"
  monitor_dimension = "SERVICE"
}

resource "aws_ce_anomaly_subscription" "this" {
  count = var.budget.anomaly_detection ? 1 : 0

  name             = var.name
  frequency        = "IMMEDIATE" # the only one that SNS can have
  monitor_arn_list = [coalesce(var.budget.anomaly_monitor_arn, one(aws_ce_anomaly_monitor.services[*].arn))]

  subscriber {
    type    = "SNS"
    address = aws_sns_topic.us_east_1["cost"].arn
  }

  threshold_expression {
    dimension {
      key           = "ANOMALY_TOTAL_IMPACT_ABSOLUTE"
      match_options = ["GREATER_THAN_OR_EQUAL"]
      values        = [tostring(var.budget.anomaly_usd)]
    }
  }

  depends_on = [aws_sns_topic_policy.us_east_1]
}
