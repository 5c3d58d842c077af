resource "aws_s3_bucket" "dashboard" {
  #checkov:skip=CKV_AWS_18:CloudFront is the only reader; what people read is the distribution's to log
  #checkov:skip=CKV_AWS_144:each release uploads the files again, from any region
  #checkov:skip=CKV_AWS_145:public files; CloudFront would need the right to use the key and gain nothing
  #checkov:skip=CKV2_AWS_61:a few files that every release replaces; no age at which one may go
  #checkov:skip=CKV2_AWS_62:nobody acts on a single file
  bucket        = "${var.name}-dashboard-${var.account_id}"
  force_destroy = var.dashboard.force_destroy
}

resource "aws_s3_bucket_public_access_block" "dashboard" {
  bucket                  = aws_s3_bucket.dashboard.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "dashboard" {
  bucket = aws_s3_bucket.dashboard.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_cloudfront_origin_access_control" "dashboard" {
  count = var.dashboard.cdn ? 1 : 0

  name                              = "${var.name}-dashboard"
  description                       = "CloudFront reads the dashboard of ${var.name}"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_cloudfront_distribution" "dashboard" {
  #checkov:skip=CKV_AWS_68:static files without a back end; a second web ACL costs more than the rest of the dashboard
  #checkov:skip=CKV_AWS_86:static files without a login; the API's access logs say who did what
  #checkov:skip=CKV_AWS_174:CloudFront's own certificate leaves no choice of TLS version
  #checkov:skip=CKV_AWS_310:each release can upload the files anew; the API fails over by DNS
  #checkov:skip=CKV_AWS_374:restaurants and staff may look from anywhere
  #checkov:skip=CKV2_AWS_32:the managed SecurityHeadersPolicy is attached by its id; the check looks for a resource
  #checkov:skip=CKV2_AWS_42:served under CloudFront's own name
  #checkov:skip=CKV2_AWS_47:static files without a back end: no Java that could log a request
  count = var.dashboard.cdn ? 1 : 0

  enabled             = true
  comment             = "${var.name} dashboard"
  default_root_object = "index.html"
  price_class         = var.dashboard.price_class
  http_version        = "http2and3"
  is_ipv6_enabled     = true

  origin {
    origin_id                = "dashboard"
    domain_name              = aws_s3_bucket.dashboard.bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.dashboard[0].id
  }

  default_cache_behavior {
    target_origin_id       = "dashboard"
    viewer_protocol_policy = "redirect-to-https"
    allowed_methods        = ["GET", "HEAD"]
    cached_methods         = ["GET", "HEAD"]
    compress               = true
    # AWS managed policies, the same ids in every account: CachingOptimized and SecurityHeadersPolicy.
    # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
    # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-response-headers-policies.html
    cache_policy_id            = "658327ea-f89d-4fab-a63d-7e88639e58f6"
    response_headers_policy_id = "67f7725c-6f97-4210-82d7-5512b31e9d03"
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = true
  }
}

data "aws_iam_policy_document" "dashboard" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.dashboard.arn, "${aws_s3_bucket.dashboard.arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
  dynamic "statement" {
    for_each = aws_cloudfront_distribution.dashboard
    content {
      sid       = "CloudFrontReads"
      actions   = ["s3:GetObject"]
      resources = ["${aws_s3_bucket.dashboard.arn}/*"]
      principals {
        type        = "Service"
        identifiers = ["cloudfront.amazonaws.com"]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:SourceArn"
        values   = [statement.value.arn]
      }
    }
  }
}

resource "aws_s3_bucket_policy" "dashboard" {
  bucket = aws_s3_bucket.dashboard.id
  policy = data.aws_iam_policy_document.dashboard.json

  depends_on = [aws_s3_bucket_public_access_block.dashboard]
}
