locals {
  api_host       = "api.${var.domain}"
  dashboard_host = "dashboard.${var.domain}"
  # Always the load balancer, wherever api.<domain> leads: a release is checked here before it
  # serves, and must be while the static page stands in for the API, because it may be the cure.
  direct_host = "direct.${var.domain}"

  zone_id      = var.hosted_zone_id == null ? aws_route53_zone.this[0].zone_id : var.hosted_zone_id
  name_servers = var.hosted_zone_id == null ? aws_route53_zone.this[0].name_servers : data.aws_route53_zone.given[0].name_servers
}

resource "aws_route53_zone" "this" {
  #checkov:skip=CKV2_AWS_38:TLS already proves every name here; a key rotation of DNSSEC that goes wrong takes the API down
  #checkov:skip=CKV2_AWS_39:a handful of public names; nobody would read a log of who asked for them
  count = var.hosted_zone_id == null ? 1 : 0

  name    = var.domain
  comment = "${var.name}, made by Terraform"
}

data "aws_route53_zone" "given" {
  count = var.hosted_zone_id == null ? 0 : 1

  zone_id = var.hosted_zone_id

  lifecycle {
    postcondition {
      condition     = endswith(".${var.domain}", ".${trimsuffix(self.name, ".")}")
      error_message = "The zone ${self.zone_id} is of ${self.name}: it cannot hold records of ${var.domain}. Set hosted_zone_id to a zone of ${var.domain} or of a parent domain."
    }
  }
}

# Only Amazon's CAs may issue certificates for these names. A given zone may have names besides ours,
# with certificates from elsewhere, so only ours are restricted there.
# https://docs.aws.amazon.com/acm/latest/userguide/setup-caa.html
resource "aws_route53_record" "caa" {
  for_each = toset(var.hosted_zone_id == null ? [var.domain] : [local.api_host, local.dashboard_host, local.direct_host])

  zone_id = local.zone_id
  name    = each.key
  type    = "CAA"
  ttl     = 3600
  records = [for ca in ["amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com"] : "0 issue \"${ca}\""]
}
