# What the names lead to, and that nothing but 200 from the load balancer counts as an answer.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_data "aws_route53_zone" {
    defaults = { name = "example", name_servers = ["ns-1.example"] }
  }
  mock_resource "aws_route53_zone" {
    defaults = { zone_id = "Z0MADE", name_servers = ["ns-2.example"] }
  }
  mock_resource "aws_acm_certificate" {
    defaults = {
      arn = "arn:aws:acm:eu-south-1:123456789012:certificate/api"
      domain_validation_options = [
        { domain_name = "api.lyo.example", resource_record_name = "_a.api.lyo.example.", resource_record_type = "CNAME", resource_record_value = "_a.acm-validations.aws." },
        { domain_name = "direct.lyo.example", resource_record_name = "_b.direct.lyo.example.", resource_record_type = "CNAME", resource_record_value = "_b.acm-validations.aws." },
      ]
    }
  }
  mock_resource "aws_acm_certificate_validation" {
    defaults = { certificate_arn = "arn:aws:acm:eu-south-1:123456789012:certificate/api" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::lyo-test", bucket_regional_domain_name = "lyo-test.s3.eu-south-1.amazonaws.com" }
  }
  mock_resource "aws_cloudfront_distribution" {
    defaults = { arn = "arn:aws:cloudfront::123456789012:distribution/E1", domain_name = "d1.cloudfront.net", hosted_zone_id = "Z2FDTNDATAQYW2" }
  }
  mock_resource "aws_cloudfront_function" {
    defaults = { arn = "arn:aws:cloudfront::123456789012:function/lyo-test-unavailable" }
  }
}

mock_provider "aws" {
  alias = "us_east_1"

  mock_resource "aws_acm_certificate" {
    defaults = {
      arn = "arn:aws:acm:us-east-1:123456789012:certificate/edge"
      domain_validation_options = [
        { domain_name = "api.lyo.example", resource_record_name = "_a.api.lyo.example.", resource_record_type = "CNAME", resource_record_value = "_a.acm-validations.aws." },
        { domain_name = "dashboard.lyo.example", resource_record_name = "_c.dashboard.lyo.example.", resource_record_type = "CNAME", resource_record_value = "_c.acm-validations.aws." },
      ]
    }
  }
  mock_resource "aws_acm_certificate_validation" {
    defaults = { certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/edge" }
  }
}

variables {
  name          = "lyo-test"
  account_id    = "123456789012"
  domain        = "lyo.example"
  load_balancer = { dns_name = "lyo-test-1.eu-south-1.elb.amazonaws.com", zone_id = "Z3ULH7SSC9OV64" }
}

run "zone_of_another_domain" {
  command = plan
  module {
    source = "./modules/dns"
  }

  variables {
    domain         = "lyo.other"
    hosted_zone_id = "Z0GIVEN"
  }

  expect_failures = [data.aws_route53_zone.given]
}

run "own_zone" {
  module {
    source = "./modules/dns"
  }

  variables {
    topic_arns = {
      warning   = "arn:aws:sns:eu-south-1:123456789012:warning"
      us_east_1 = "arn:aws:sns:us-east-1:123456789012:us-east-1"
    }
  }

  assert {
    condition     = output.zone_id == "Z0MADE" && output.name_servers == tolist(["ns-2.example"]) && keys(aws_route53_record.caa) == ["lyo.example"]
    error_message = "Without hosted_zone_id the zone must be made, its name servers told, and all of it restricted to Amazon's CAs."
  }
  assert {
    condition     = output.urls == { api = "https://api.lyo.example", test = "https://direct.lyo.example:8443", dashboard = "https://dashboard.lyo.example" }
    error_message = "URLs must be the names, and the test listener's must lead to the load balancer even after a failover."
  }
  assert {
    condition     = aws_route53_health_check.api.fqdn == "lyo-test-1.eu-south-1.elb.amazonaws.com" && aws_route53_health_check.api.type == "HTTPS_STR_MATCH"
    error_message = "The health check must look at the load balancer itself: api.<domain> leads elsewhere after a failover."
  }
  assert {
    condition     = aws_route53_record.api["PRIMARY"].health_check_id == output.health_check_id && aws_route53_record.api["SECONDARY"].health_check_id == null
    error_message = "The primary record must follow the health check, and the secondary one must always serve."
  }
  assert {
    condition     = alltrue([for record in aws_route53_record.api : !record.alias[0].evaluate_target_health])
    error_message = "evaluate_target_health would fail over whenever blue or green is empty, which is always."
  }
  assert {
    condition     = toset([for record in aws_route53_record.api : record.type]) == toset(["A"])
    error_message = "The load balancer has no IPv6: an AAAA record of a failover would lead nowhere, or to the page alone."
  }
  assert {
    condition     = aws_route53_record.api_validation["api.lyo.example"].name == "_a.api.lyo.example." && aws_route53_record.api_validation["direct.lyo.example"].name == "_b.direct.lyo.example." && aws_route53_record.edge_validation.name == "_c.dashboard.lyo.example."
    error_message = "Each name must have its validation record once."
  }
  assert {
    condition     = output.certificate_arn == "arn:aws:acm:eu-south-1:123456789012:certificate/api" && alltrue([for site in [aws_cloudfront_distribution.dashboard, aws_cloudfront_distribution.unavailable] : site.viewer_certificate[0].acm_certificate_arn == "arn:aws:acm:us-east-1:123456789012:certificate/edge" && site.viewer_certificate[0].minimum_protocol_version == "TLSv1.2_2021"])
    error_message = "The load balancer's certificate must be the region's, and CloudFront's the one of us-east-1, with TLS 1.2."
  }
  assert {
    condition     = contains(aws_cloudfront_distribution.unavailable.default_cache_behavior[0].allowed_methods, "POST") && strcontains(aws_cloudfront_function.unavailable.code, "statusCode: 503") && strcontains(aws_cloudfront_function.unavailable.code, "'retry-after': { value: '60' }")
    error_message = "The page that stands in must answer POST with 503 and Retry-After: WhatsApp would take anything else for an answer."
  }
  assert {
    condition     = strcontains(aws_cloudfront_function.unavailable.code, "Torniamo subito") && strcontains(aws_cloudfront_function.unavailable.code, "Back soon") && length(aws_cloudfront_function.unavailable.code) < 10240
    error_message = "The page must be in the function, in Italian and English, and the function below 10 KB."
  }
  assert {
    condition     = strcontains(aws_cloudfront_response_headers_policy.dashboard.security_headers_config[0].content_security_policy[0].content_security_policy, "connect-src 'self' https://api.lyo.example;")
    error_message = "The dashboard must be allowed to ask the API, and only that."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.api_certificate.alarm_actions == toset(["arn:aws:sns:eu-south-1:123456789012:warning"]) && alltrue([for alarm in [aws_cloudwatch_metric_alarm.edge_certificate, aws_cloudwatch_metric_alarm.api_health] : alarm.alarm_actions == toset(["arn:aws:sns:us-east-1:123456789012:us-east-1"])])
    error_message = "An alarm can only notify a topic of its own region."
  }
}

run "given_zone_and_no_resolver" {
  module {
    source = "./modules/dns"
  }

  variables {
    hosted_zone_id = "Z0GIVEN"
    public_dns     = false
    ports          = { https = 10443 }
  }

  assert {
    condition     = output.zone_id == "Z0GIVEN" && output.name_servers == tolist(["ns-1.example"]) && length(aws_route53_zone.this) == 0
    error_message = "A given zone must be used, and none made."
  }
  assert {
    condition     = keys(aws_route53_record.caa) == ["api.lyo.example", "dashboard.lyo.example", "direct.lyo.example"]
    error_message = "In a given zone only our own names may be restricted to Amazon's CAs."
  }
  assert {
    condition     = output.urls == { api = "https://lyo-test-1.eu-south-1.elb.amazonaws.com:10443", test = "https://lyo-test-1.eu-south-1.elb.amazonaws.com:8443", dashboard = "https://d1.cloudfront.net:10443" }
    error_message = "Where nothing resolves the names, URLs must be the load balancer's and CloudFront's own."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.api_health.alarm_actions == null || length(aws_cloudwatch_metric_alarm.api_health.alarm_actions) == 0
    error_message = "Without topics the alarms must notify nobody."
  }
}
