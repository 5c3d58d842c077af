# Route 53 reports to us-east-1 only:
# https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/monitoring-health-checks.html
resource "aws_cloudwatch_metric_alarm" "api_health" {
  provider = aws.us_east_1

  alarm_name          = "${var.name}-api-unhealthy"
  alarm_description   = "Route 53 finds the load balancer of ${var.name} unwell: ${local.api_host} leads to the static page, and WhatsApp's messages wait. First: ansible-playbook verify.yml. (docs/runbooks/alarms.md, api-unhealthy)"
  namespace           = "AWS/Route53"
  metric_name         = "HealthCheckStatus"
  dimensions          = { HealthCheckId = aws_route53_health_check.api.id }
  statistic           = "Minimum"
  period              = 60
  evaluation_periods  = 2
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = compact([var.topic_arns.us_east_1])
  ok_actions          = compact([var.topic_arns.us_east_1])
}

# ACM renews 60 days before the end. Half of them later somebody must see why it did not: nearly
# always the validation record is gone. https://docs.aws.amazon.com/acm/latest/userguide/cloudwatch-metrics.html
resource "aws_cloudwatch_metric_alarm" "api_certificate" {
  alarm_name          = "${var.name}-api-certificate-expiry"
  alarm_description   = "ACM has not renewed the load balancer's certificate (${local.api_host}). First: ansible-playbook drift.yml names a validation record that is gone. (docs/runbooks/alarms.md, certificate-expiry)"
  namespace           = "AWS/CertificateManager"
  metric_name         = "DaysToExpiry"
  dimensions          = { CertificateArn = aws_acm_certificate.api.arn }
  statistic           = "Minimum"
  period              = 86400
  evaluation_periods  = 1
  comparison_operator = "LessThanThreshold"
  threshold           = 30
  treat_missing_data  = "missing"
  alarm_actions       = compact([var.topic_arns.warning])
  ok_actions          = compact([var.topic_arns.warning])
}

resource "aws_cloudwatch_metric_alarm" "edge_certificate" {
  provider = aws.us_east_1

  alarm_name          = "${var.name}-edge-certificate-expiry"
  alarm_description   = "ACM has not renewed CloudFront's certificate (${local.dashboard_host}). First: ansible-playbook drift.yml names a validation record that is gone. (docs/runbooks/alarms.md, certificate-expiry)"
  namespace           = "AWS/CertificateManager"
  metric_name         = "DaysToExpiry"
  dimensions          = { CertificateArn = aws_acm_certificate.edge.arn }
  statistic           = "Minimum"
  period              = 86400
  evaluation_periods  = 1
  comparison_operator = "LessThanThreshold"
  threshold           = 30
  treat_missing_data  = "missing"
  alarm_actions       = compact([var.topic_arns.us_east_1])
  ok_actions          = compact([var.topic_arns.us_east_1])
}
