resource "aws_cloudfront_origin_access_control" "dashboard" {
  name                              = "${var.name}-dashboard"
  description                       = "CloudFront reads the dashboard of ${var.name}"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/understanding-response-headers-policies.html
resource "aws_cloudfront_response_headers_policy" "dashboard" {
  #checkov:skip=CKV_AWS_259:browsers preload registered domains only, never a name below one such as dashboard.<domain>
  name    = "${var.name}-dashboard"
  comment = "Security headers of the dashboard of ${var.name}"

  security_headers_config {
    strict_transport_security {
      access_control_max_age_sec = 31536000
      include_subdomains         = true
      override                   = true
    }
    # Its own script and style, an icon in the page itself, and the API to ask; nothing else.
    content_security_policy {
      content_security_policy = join("; ", [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self' ${local.urls.api}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
      ])
      override = true
    }
    content_type_options {
      override = true
    }
    frame_options {
      frame_option = "DENY"
      override     = true
    }
    referrer_policy {
      referrer_policy = "no-referrer"
      override        = true
    }
  }
}

resource "aws_cloudfront_distribution" "dashboard" {
  #checkov:skip=CKV_AWS_68:static files without a back end; a second web ACL costs more than the rest of the dashboard
  #checkov:skip=CKV_AWS_86:static files without a login; the API's access logs say who did what
  #checkov:skip=CKV_AWS_310:each release can upload the files anew; the API fails over by DNS
  #checkov:skip=CKV_AWS_374:restaurants and staff may look from anywhere
  #checkov:skip=CKV2_AWS_47:static files without a back end: no Java that could log a request
  enabled             = true
  aliases             = [local.dashboard_host]
  comment             = "${var.name} dashboard"
  default_root_object = "index.html"
  price_class         = var.dashboard.price_class
  http_version        = "http2and3"
  is_ipv6_enabled     = true

  origin {
    origin_id                = "dashboard"
    domain_name              = aws_s3_bucket.dashboard.bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.dashboard.id
  }

  default_cache_behavior {
    target_origin_id       = "dashboard"
    viewer_protocol_policy = "redirect-to-https"
    allowed_methods        = ["GET", "HEAD"]
    cached_methods         = ["GET", "HEAD"]
    compress               = true
    # AWS's managed policy CachingOptimized, the same id in every account.
    # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
    cache_policy_id            = "658327ea-f89d-4fab-a63d-7e88639e58f6"
    response_headers_policy_id = aws_cloudfront_response_headers_policy.dashboard.id
  }

  # Who may not list a bucket is told 403 of an object that is not there. To people that is a page
  # that does not exist: they get the dashboard, and programs get the status.
  custom_error_response {
    error_code            = 403
    response_code         = 404
    response_page_path    = "/index.html"
    error_caching_min_ttl = 10
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

resource "aws_route53_record" "dashboard" {
  for_each = toset(["A", "AAAA"])

  zone_id = local.zone_id
  name    = local.dashboard_host
  type    = each.key

  alias {
    name                   = aws_cloudfront_distribution.dashboard.domain_name
    zone_id                = aws_cloudfront_distribution.dashboard.hosted_zone_id
    evaluate_target_health = false
  }
}
