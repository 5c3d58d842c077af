locals {
  https_port = var.ports.https == 443 ? "" : ":${var.ports.https}"

  # What people and runbooks use: names where something resolves them, else addresses.
  urls = {
    api  = "https://${var.public_dns ? local.api_host : var.load_balancer.dns_name}${local.https_port}"
    test = "https://${var.public_dns ? local.direct_host : var.load_balancer.dns_name}:${var.ports.test_listener}"
  }
  dashboard_url = "https://${var.public_dns ? local.dashboard_host : aws_cloudfront_distribution.dashboard.domain_name}${local.https_port}"
}

output "certificate_arn" {
  description = "The load balancer's certificate, once it is issued."
  value       = aws_acm_certificate_validation.api.certificate_arn
}

output "zone_id" {
  description = "The Route 53 zone of the domain's records."
  value       = local.zone_id
}

output "name_servers" {
  description = "Name servers of that zone. Whoever serves the parent domain delegates to them with NS records."
  value       = local.name_servers
}

output "health_check_id" {
  description = "Route 53's health check of the API."
  value       = aws_route53_health_check.api.id
}

output "dashboard" {
  description = "The dashboard: its bucket, CloudFront distribution and url."
  value = {
    bucket          = aws_s3_bucket.dashboard.id
    distribution_id = aws_cloudfront_distribution.dashboard.id
    url             = local.dashboard_url
  }
}

output "failover" {
  description = "The page that stands in for the API: id and own domain name of its CloudFront distribution."
  value = {
    distribution_id = aws_cloudfront_distribution.unavailable.id
    domain_name     = aws_cloudfront_distribution.unavailable.domain_name
  }
}

output "urls" {
  description = "Where the outside finds the API, an unreleased version on the test listener, and the dashboard."
  value       = merge(local.urls, { dashboard = local.dashboard_url })
}

output "alarm_arns" {
  description = "ARNs of the alarms of the health check and of the certificates; two of them are in us-east-1."
  value = [
    aws_cloudwatch_metric_alarm.api_health.arn,
    aws_cloudwatch_metric_alarm.api_certificate.arn,
    aws_cloudwatch_metric_alarm.edge_certificate.arn,
  ]
}
