# Interface endpoints are chosen; the gateway to S3 is always there and costs nothing.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  name               = "lyo-test"
  availability_zones = ["eu-south-1a", "eu-south-1b", "eu-south-1c"]
}

run "none" {
  command = plan
  module {
    source = "./modules/vpc"
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) + length(aws_security_group.endpoints) == 0
    error_message = "Nothing that costs by the hour, unless it is chosen."
  }
  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway"
    error_message = "S3 is reached without NAT."
  }
}

run "two" {
  command = plan
  module {
    source = "./modules/vpc"
  }

  variables {
    interface_endpoints = ["ecr.api", "logs"]
  }

  assert {
    condition     = toset(keys(aws_vpc_endpoint.interface)) == toset(["ecr.api", "logs"]) && alltrue([for endpoint in aws_vpc_endpoint.interface : endpoint.private_dns_enabled])
    error_message = "Each answers under the service's own name."
  }
  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.endpoints_application) == 1 && aws_vpc_security_group_ingress_rule.endpoints_application[0].from_port == 443
    error_message = "The application reaches them at 443 only."
  }
}
