locals {
  api_host = var.domain == null ? aws_lb.this.dns_name : "api.${var.domain}"
  # Without a domain: a name of no public zone, which the local cloud's authority certifies at once,
  # together with its load balancers' addresses. AWS never would.
  certificate_name = var.domain == null ? "api.${var.name}.internal" : local.api_host
}

resource "aws_acm_certificate" "api" {
  domain_name       = local.certificate_name
  validation_method = "DNS"

  tags = { Name = "${var.name}-api" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "certificate_validation" {
  # Known before the certificate is: one name, so one record.
  for_each = var.hosted_zone_id == null ? toset([]) : toset(["api.${var.domain}"])

  zone_id         = var.hosted_zone_id
  name            = one(aws_acm_certificate.api.domain_validation_options).resource_record_name
  type            = one(aws_acm_certificate.api.domain_validation_options).resource_record_type
  records         = [one(aws_acm_certificate.api.domain_validation_options).resource_record_value]
  ttl             = 300
  allow_overwrite = true
}

# Returns once the certificate is issued; listeners are made with it then.
resource "aws_acm_certificate_validation" "api" {
  certificate_arn         = aws_acm_certificate.api.arn
  validation_record_fqdns = var.hosted_zone_id == null ? null : [for record in aws_route53_record.certificate_validation : record.fqdn]
}
