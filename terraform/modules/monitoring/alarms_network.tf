# https://docs.aws.amazon.com/vpc/latest/userguide/vpc-nat-gateway-cloudwatch.html
locals {
  network_alarms = { for zone, id in var.nat_gateway_ids : "nat-ports-${zone}" => {
    severity  = "critical"
    runbook   = "nat-ports"
    means     = "The NAT gateway of ${zone} has no port left for new connections: calls to Meta fail, so answers are not sent."
    first     = "find who opens so many connections to one address (flow logs); tasks without connection reuse are the usual reason."
    metric    = { namespace = "AWS/NATGateway", name = "ErrorPortAllocation", stat = "Sum", dimensions = { NatGatewayId = id } }
    period    = 60
    periods   = 5
    threshold = 0
    missing   = "notBreaching" # a gateway without traffic may write nothing
  } }
}
