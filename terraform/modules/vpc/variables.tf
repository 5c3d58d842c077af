variable "name" {
  description = "Prefix of every name, such as lyo-production."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 24 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "cidr" {
  description = "IPv4 range of the VPC; each subnet gets a sixteenth of it."
  type        = string
  default     = "10.0.0.0/16"
  nullable    = false

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 22, false)
    error_message = "cidr must be an IPv4 range between /16 and /22, such as 10.0.0.0/16."
  }
}

variable "availability_zones" {
  description = "Names of the availability zones, one public and one private subnet in each. Named, not looked up: a zone that AWS adds must not move subnets."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.availability_zones) >= 2 && length(var.availability_zones) <= 8 && length(distinct(var.availability_zones)) == length(var.availability_zones)
    error_message = "availability_zones must name 2 to 8 different zones."
  }
}

variable "nat_gateways" {
  description = "Number of NAT gateways. In eu-south-1 each costs 36.50 USD a month (0.05 an hour), its public IPv4 address 3.65 (0.005 an hour), and every GB through it 0.05; with fewer than zones, a zone's failure can cut the others' way out, and traffic between zones costs 0.01 for each GB and direction."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.nat_gateways >= 1 && var.nat_gateways <= length(var.availability_zones) && floor(var.nat_gateways) == var.nat_gateways
    error_message = "nat_gateways must be a whole number from 1 to the number of availability zones."
  }
}

variable "interface_endpoints" {
  description = "AWS services that the private subnets reach without NAT: ecr.api, ecr.dkr, logs, secretsmanager, ssm, ssmmessages, kms, sts. In eu-south-1 each costs about 8.40 USD a month in every zone (0.01155 an hour) and 0.01 for each GB, so all eight in three zones about 200 USD."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(setsubtract(var.interface_endpoints, ["ecr.api", "ecr.dkr", "logs", "secretsmanager", "ssm", "ssmmessages", "kms", "sts"])) == 0
    error_message = "interface_endpoints may have ecr.api, ecr.dkr, logs, secretsmanager, ssm, ssmmessages, kms and sts."
  }
}

variable "flow_logs" {
  description = "Whether rejected traffic is logged to CloudWatch Logs (ALL for every packet), and for how many days it is kept."
  type = object({
    enabled        = optional(bool, true)
    traffic        = optional(string, "REJECT")
    retention_days = optional(number, 30)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["REJECT", "ACCEPT", "ALL"], var.flow_logs.traffic)
    error_message = "flow_logs.traffic must be REJECT, ACCEPT or ALL."
  }
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.flow_logs.retention_days)
    error_message = "flow_logs.retention_days must be a retention that CloudWatch Logs offers: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731."
  }
}

variable "test_listener_cidrs" {
  description = "IPv4 ranges that may reach the load balancer's test listener. A release is checked there before it gets traffic."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.test_listener_cidrs : can(cidrhost(cidr, 0))])
    error_message = "test_listener_cidrs must be IPv4 ranges, such as 203.0.113.7/32."
  }
  validation {
    condition     = !contains(var.test_listener_cidrs, "0.0.0.0/0")
    error_message = "test_listener_cidrs must not be the whole internet: an unreleased version listens there."
  }
}

variable "ports" {
  description = "Ports that the tiers talk on: the application's containers, the database, the cache, and the load balancer's test listener."
  type = object({
    application   = optional(number, 8080)
    database      = optional(number, 5432)
    cache         = optional(number, 6379)
    test_listener = optional(number, 8443)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for port in values(var.ports) : port > 0 && port < 65536 && floor(port) == port])
    error_message = "ports must be whole numbers from 1 to 65535."
  }
}
