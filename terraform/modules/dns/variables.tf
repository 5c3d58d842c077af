variable "name" {
  description = "Prefix of every name, such as lyo-production."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 24 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "account_id" {
  description = "AWS account id; part of the bucket's name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must have twelve digits."
  }
}

variable "domain" {
  description = "Domain of the environment: api.<domain>, dashboard.<domain>, and direct.<domain>, which is always the load balancer."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,}$", var.domain))
    error_message = "domain must be a domain name without scheme or trailing dot, such as lyo.example."
  }
}

variable "hosted_zone_id" {
  description = "Route 53 zone that the domain's records go to: its own, or one of a parent domain. null makes a zone of the domain, which whoever serves the parent must then delegate to."
  type        = string
  default     = null

  validation {
    condition     = var.hosted_zone_id == null || can(regex("^Z[A-Z0-9]+$", var.hosted_zone_id))
    error_message = "hosted_zone_id must be the id of a Route 53 zone, Z…, or null."
  }
}

variable "public_dns" {
  description = "Whether the domain's names resolve for those who use the URLs. false gives the load balancer's and CloudFront's own addresses instead: nothing resolves the names of the local cloud."
  type        = bool
  default     = true
  nullable    = false
}

variable "ports" {
  description = "Ports at which the outside reaches HTTPS (443, except in the local cloud, which cannot open it) and the test listener."
  type = object({
    https         = optional(number, 443)
    test_listener = optional(number, 8443)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for port in values(var.ports) : port > 0 && port < 65536])
    error_message = "ports must be from 1 to 65535."
  }
}

variable "load_balancer" {
  description = "The load balancer behind api.<domain>: its own DNS name and the Route 53 zone of that name."
  type = object({
    dns_name = string
    zone_id  = string
  })
  nullable = false

  validation {
    condition     = can(regex("^Z[A-Z0-9]+$", var.load_balancer.zone_id))
    error_message = "load_balancer.zone_id must be the id of a Route 53 zone, Z…"
  }
}

variable "health_check" {
  description = "Route 53's check of the load balancer, which decides where api.<domain> leads: path, a string that the first 5,120 bytes of the answer must hold, seconds between two checks of one region, checks in a row that change its state, and the regions that check."
  type = object({
    path              = optional(string, "/health")
    search_string     = optional(string, "\"status\":\"ok\"")
    interval          = optional(number, 30)
    failure_threshold = optional(number, 3)
    regions           = optional(set(string), ["eu-west-1", "us-east-1", "us-west-2"])
  })
  default  = {}
  nullable = false

  validation {
    condition     = startswith(var.health_check.path, "/")
    error_message = "health_check.path must begin with a slash."
  }
  validation {
    condition     = length(var.health_check.search_string) >= 1 && length(var.health_check.search_string) <= 255
    error_message = "health_check.search_string must have 1 to 255 characters."
  }
  validation {
    condition     = contains([10, 30], var.health_check.interval)
    error_message = "health_check.interval must be 30 seconds, or 10 for a dollar a month more."
  }
  validation {
    condition     = var.health_check.failure_threshold >= 1 && var.health_check.failure_threshold <= 10
    error_message = "health_check.failure_threshold must be from 1 to 10."
  }
  validation {
    condition     = length(var.health_check.regions) >= 3 && length(setsubtract(var.health_check.regions, ["us-east-1", "us-west-1", "us-west-2", "eu-west-1", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "sa-east-1"])) == 0
    error_message = "health_check.regions must name at least three of the regions that Route 53 checks from: us-east-1, us-west-1, us-west-2, eu-west-1, ap-southeast-1, ap-southeast-2, ap-northeast-1 and sa-east-1."
  }
}

variable "retry_after" {
  description = "Seconds after which the page that stands in for the API asks to try again."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.retry_after >= 1 && var.retry_after <= 3600
    error_message = "retry_after must be from 1 to 3600 seconds."
  }
}

variable "dashboard" {
  description = "The static dashboard: CloudFront's price class, days that replaced objects are kept, and whether deleting the bucket deletes its objects."
  type = object({
    price_class     = optional(string, "PriceClass_100")
    noncurrent_days = optional(number, 30)
    force_destroy   = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["PriceClass_100", "PriceClass_200", "PriceClass_All"], var.dashboard.price_class)
    error_message = "dashboard.price_class must be PriceClass_100, PriceClass_200 or PriceClass_All."
  }
  validation {
    condition     = var.dashboard.noncurrent_days >= 1
    error_message = "dashboard.noncurrent_days must be at least 1."
  }
}

variable "topic_arns" {
  description = "SNS topics that the alarms notify: warning in the environment's region, us_east_1 where Route 53 and CloudFront report. null notifies nobody."
  type = object({
    warning   = optional(string)
    us_east_1 = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for arn in values(var.topic_arns) : arn == null ? true : can(regex("^arn:aws[a-z-]*:sns:", arn))])
    error_message = "topic_arns must be ARNs of SNS topics, or null."
  }
}
