# The load balancer's, in the environment's region.
resource "aws_acm_certificate" "api" {
  domain_name               = local.api_host
  subject_alternative_names = [local.direct_host]
  validation_method         = "DNS"

  tags = { Name = "${var.name}-api" }

  lifecycle {
    create_before_destroy = true
  }
}

# CloudFront's: the dashboard, and the page that stands in for the API.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cnames-and-https-requirements.html
resource "aws_acm_certificate" "edge" {
  provider = aws.us_east_1

  domain_name               = local.dashboard_host
  subject_alternative_names = [local.api_host]
  validation_method         = "DNS"

  tags = { Name = "${var.name}-edge" }

  lifecycle {
    create_before_destroy = true
  }
}

# A name has one record, whatever number of certificates and regions it is in, so api.<domain>'s
# serves both. https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
resource "aws_route53_record" "api_validation" {
  for_each = toset([local.api_host, local.direct_host])

  zone_id         = local.zone_id
  name            = one([for option in aws_acm_certificate.api.domain_validation_options : option.resource_record_name if option.domain_name == each.key])
  type            = "CNAME"
  records         = [one([for option in aws_acm_certificate.api.domain_validation_options : option.resource_record_value if option.domain_name == each.key])]
  ttl             = 300
  allow_overwrite = true
}

resource "aws_route53_record" "edge_validation" {
  zone_id         = local.zone_id
  name            = one([for option in aws_acm_certificate.edge.domain_validation_options : option.resource_record_name if option.domain_name == local.dashboard_host])
  type            = "CNAME"
  records         = [one([for option in aws_acm_certificate.edge.domain_validation_options : option.resource_record_value if option.domain_name == local.dashboard_host])]
  ttl             = 300
  allow_overwrite = true
}

# Each returns once its certificate is issued; listeners and distributions are made with it then. A
# time-out here nearly always means that the zone is not delegated: terraform/README.md, "A new zone".
resource "aws_acm_certificate_validation" "api" {
  certificate_arn         = aws_acm_certificate.api.arn
  validation_record_fqdns = [for record in aws_route53_record.api_validation : record.fqdn]

  timeouts {
    create = "30m"
  }
}

resource "aws_acm_certificate_validation" "edge" {
  provider = aws.us_east_1

  certificate_arn         = aws_acm_certificate.edge.arn
  validation_record_fqdns = [aws_route53_record.edge_validation.fqdn, aws_route53_record.api_validation[local.api_host].fqdn]

  timeouts {
    create = "30m"
  }
}
