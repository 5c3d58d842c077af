output "vpc_id" {
  description = "Id of the VPC."
  value       = aws_vpc.this.id
}

output "public_subnet_ids" {
  description = "Ids of the public subnets, in the order of the zones."
  value       = [for zone in var.availability_zones : aws_subnet.public[zone].id]
}

output "private_subnet_ids" {
  description = "Ids of the private subnets, in the order of the zones."
  value       = [for zone in var.availability_zones : aws_subnet.private[zone].id]
}

output "private_route_table_ids" {
  description = "Ids of the private subnets' route tables, in the order of the zones."
  value       = [for zone in var.availability_zones : aws_route_table.private[zone].id]
}

output "security_group_ids" {
  description = "Ids of the tiers' security groups: web, application, database."
  value = {
    web         = aws_security_group.web.id
    application = aws_security_group.application.id
    database    = aws_security_group.database.id
  }
}

output "nat_public_ips" {
  description = "Public addresses that the application's outgoing traffic comes from."
  value       = [for zone in local.nat_zones : aws_eip.nat[zone].public_ip]
}

output "nat_gateway_ids" {
  description = "Ids of the NAT gateways, by availability zone."
  value       = { for zone, gateway in aws_nat_gateway.this : zone => gateway.id }
}

output "interface_endpoint_ids" {
  description = "Ids of the interface endpoints, by service."
  value       = { for service, endpoint in aws_vpc_endpoint.interface : service => endpoint.id }
}
