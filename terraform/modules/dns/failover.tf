# api.<domain> leads to the load balancer while Route 53 finds it well, else to a page that says so.

# The load balancer by its own name: api.<domain> leads elsewhere after a failover, and would never
# be found well again. Its certificate has another name, which Route 53 does not look at.
# https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html
resource "aws_route53_health_check" "api" {
  type              = "HTTPS_STR_MATCH"
  fqdn              = var.load_balancer.dns_name
  port              = 443
  resource_path     = var.health_check.path
  search_string     = var.health_check.search_string
  request_interval  = var.health_check.interval
  failure_threshold = var.health_check.failure_threshold
  regions           = var.health_check.regions
  enable_sni        = true

  tags = { Name = "${var.name}-api" }
}

# The health check decides alone. The load balancer's own opinion would not do: it calls itself well
# only if each of its target groups has a healthy target, and between releases blue or green has none.
# https://docs.aws.amazon.com/Route53/latest/APIReference/API_AliasTarget.html
# Both lead to IPv4 only: the load balancer has nothing else, and records of a failover go in pairs.
resource "aws_route53_record" "api" {
  for_each = {
    PRIMARY   = { name = var.load_balancer.dns_name, zone_id = var.load_balancer.zone_id }
    SECONDARY = { name = aws_cloudfront_distribution.unavailable.domain_name, zone_id = aws_cloudfront_distribution.unavailable.hosted_zone_id }
  }

  zone_id         = local.zone_id
  name            = local.api_host
  type            = "A"
  set_identifier  = lower(each.key)
  health_check_id = each.key == "PRIMARY" ? aws_route53_health_check.api.id : null

  failover_routing_policy {
    type = each.key
  }

  alias {
    name                   = each.value.name
    zone_id                = each.value.zone_id
    evaluate_target_health = false
  }
}

resource "aws_route53_record" "direct" {
  zone_id = local.zone_id
  name    = local.direct_host
  type    = "A"

  alias {
    name                   = var.load_balancer.dns_name
    zone_id                = var.load_balancer.zone_id
    evaluate_target_health = false
  }
}

# Every request is answered with 503, POST too: WhatsApp then sends its messages again, for days. A
# 200 would lose them. Custom error responses would not do: they need an origin that fails in the right
# way for every method, and cannot say Retry-After. The function answers before cache and origin.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/function-code-choose-purpose.html
resource "aws_cloudfront_function" "unavailable" {
  name    = "${var.name}-unavailable"
  comment = "Answers 503 to everything while the API of ${var.name} is down"
  runtime = "cloudfront-js-2.0"
  publish = true
  code = templatefile("${path.module}/unavailable.js.tftpl", {
    page        = jsonencode(file("${path.module}/unavailable.html"))
    retry_after = var.retry_after
  })

  lifecycle {
    precondition {
      # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html#limits-functions
      condition     = length(file("${path.module}/unavailable.html")) <= 6000
      error_message = "unavailable.html must stay below 6,000 characters: a CloudFront function may have 10 KB, and the page is part of it."
    }
  }
}

resource "aws_cloudfront_distribution" "unavailable" {
  #checkov:skip=CKV_AWS_68:a function gives every request the same page; there is nothing to protect
  #checkov:skip=CKV_AWS_86:it serves while the API is down; WhatsApp sends its messages again, and those are logged
  #checkov:skip=CKV_AWS_305:the function answers / like every other path
  #checkov:skip=CKV_AWS_310:it is itself the failover, and its origin is never asked
  #checkov:skip=CKV_AWS_374:WhatsApp sends from several countries, and must be told to try again
  #checkov:skip=CKV2_AWS_32:the managed SecurityHeadersPolicy is attached by its id; the check looks for a resource
  #checkov:skip=CKV2_AWS_47:a function answers; no Java that could log a request
  enabled         = true
  aliases         = [local.api_host]
  comment         = "${var.name} API: stands in while the load balancer is not well"
  price_class     = var.dashboard.price_class
  http_version    = "http2and3"
  is_ipv6_enabled = true

  # A distribution must have an origin. This one would answer 403: the bucket's policy does not let
  # this distribution read. So not even a lost function could make it say 200.
  origin {
    origin_id                = "never-asked"
    domain_name              = aws_s3_bucket.dashboard.bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.dashboard.id
  }

  default_cache_behavior {
    target_origin_id       = "never-asked"
    viewer_protocol_policy = "redirect-to-https"
    # All of them, or CloudFront itself would refuse a POST with 403, for which nobody tries again.
    allowed_methods = ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"]
    cached_methods  = ["GET", "HEAD"]
    # AWS's managed policies CachingDisabled and SecurityHeadersPolicy, the same ids in every account.
    # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
    # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-response-headers-policies.html
    cache_policy_id            = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    response_headers_policy_id = "67f7725c-6f97-4210-82d7-5512b31e9d03"

    function_association {
      event_type   = "viewer-request"
      function_arn = aws_cloudfront_function.unavailable.arn
    }
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    acm_certificate_arn      = aws_acm_certificate_validation.edge.certificate_arn
    ssl_support_method       = "sni-only"
    minimum_protocol_version = "TLSv1.2_2021"
  }
}
