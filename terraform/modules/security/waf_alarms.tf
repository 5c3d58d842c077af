# https://docs.aws.amazon.com/waf/latest/developerguide/waf-metrics.html
resource "aws_cloudwatch_metric_alarm" "blocked" {
  alarm_name        = "${var.name}-waf-blocked-requests"
  alarm_description = "WAF blocks more than ${var.waf.blocked_alarm} requests in five minutes: an attack, or a rule that blocks customers. First: the log group ${aws_cloudwatch_log_group.waf.name} has the rules and addresses. (docs/runbooks/alarms.md, waf-blocked-requests)"

  namespace           = "AWS/WAFV2"
  metric_name         = "BlockedRequests"
  dimensions          = { WebACL = aws_wafv2_web_acl.this.name, Region = var.region, Rule = "ALL" }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = var.waf.blocked_alarm
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"

  alarm_actions = [var.topic_arns.warning]
  ok_actions    = [var.topic_arns.warning]
}

# Methods other than Meta's two are anybody's probing, and no message.
resource "aws_cloudwatch_log_metric_filter" "webhook_blocked" {
  name           = "${var.name}-waf-webhook-blocked"
  log_group_name = aws_cloudwatch_log_group.waf.name
  pattern        = "{ ($.action = \"BLOCK\") && ($.httpRequest.uri = \"${var.waf.webhook_path}\") && (($.httpRequest.httpMethod = \"POST\") || ($.httpRequest.httpMethod = \"GET\")) }"

  metric_transformation {
    namespace = "Lyo/${var.name}"
    name      = "WebhookRequestsBlocked"
    value     = "1"
    unit      = "Count"
  }
}

resource "aws_cloudwatch_metric_alarm" "webhook_blocked" {
  alarm_name        = "${var.name}-waf-webhook-blocked"
  alarm_description = "WAF blocked a GET or POST of ${var.waf.webhook_path}: a customer's message waits for Meta's next try, and is lost when its tries end. First: httpRequest.clientIp and terminatingRuleId in ${aws_cloudwatch_log_group.waf.name}. (docs/runbooks/alarms.md, waf-webhook-blocked)"

  namespace           = aws_cloudwatch_log_metric_filter.webhook_blocked.metric_transformation[0].namespace
  metric_name         = aws_cloudwatch_log_metric_filter.webhook_blocked.metric_transformation[0].name
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  threshold           = var.waf.webhook_alarm
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"

  alarm_actions = [var.topic_arns.warning]
  ok_actions    = [var.topic_arns.warning]
}
