variable "name" {
  description = "Prefix of every name, such as lyo-production."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 24 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "region" {
  description = "AWS region, such as eu-south-1."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region, such as eu-south-1."
  }
}

variable "account_id" {
  description = "AWS account id; part of the buckets' names and of the roles' trust."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must have twelve digits."
  }
}

variable "vpc_id" {
  description = "VPC of the target groups."
  type        = string
  nullable    = false

  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "vpc_id must be the id of a VPC, vpc-…"
  }
}

variable "public_subnet_ids" {
  description = "Public subnets of the load balancer, in at least two availability zones."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.public_subnet_ids) >= 2
    error_message = "public_subnet_ids must name at least two subnets: a load balancer needs two availability zones."
  }
}

variable "private_subnet_ids" {
  description = "Private subnets of the tasks."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.private_subnet_ids) >= 1
    error_message = "private_subnet_ids must name at least one subnet."
  }
}

variable "security_group_ids" {
  description = "Security groups of the load balancer (web) and of the tasks (application)."
  type = object({
    web         = string
    application = string
  })
  nullable = false

  validation {
    condition     = alltrue([for id in values(var.security_group_ids) : startswith(id, "sg-")])
    error_message = "security_group_ids must be ids of security groups, sg-…"
  }
}

variable "secret_arns" {
  description = "Secrets that a task is given at its start, besides the module's own; the execution role may read these and no others."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.secret_arns : can(regex("^arn:aws[a-z-]*:secretsmanager:", arn))])
    error_message = "secret_arns must be ARNs of Secrets Manager secrets."
  }
}

variable "kms_key_arn" {
  description = "KMS key of the secrets, the registry and the log group; null takes the account's AWS managed keys. Its policy must let CloudWatch Logs use it."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key, or null."
  }
}

variable "secret_recovery_days" {
  description = "Days in which a deleted secret can be brought back; 0 deletes at once, so that its name is free again."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.secret_recovery_days == 0 || (var.secret_recovery_days >= 7 && var.secret_recovery_days <= 30)
    error_message = "secret_recovery_days must be 0 or from 7 to 30."
  }
}

variable "certificate_arn" {
  description = "ACM certificate of the listeners, issued, in the same region."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:acm:", var.certificate_arn))
    error_message = "certificate_arn must be the ARN of an ACM certificate."
  }
}

variable "public_https_port" {
  description = "Port at which the outside reaches HTTPS: 443, except in the local cloud, which cannot open it."
  type        = number
  default     = 443
  nullable    = false

  validation {
    condition     = var.public_https_port > 0 && var.public_https_port < 65536
    error_message = "public_https_port must be from 1 to 65535."
  }
}

variable "load_balancer" {
  description = "The load balancer: seconds without a byte after which it closes a connection, protection, TLS policy, port of the test listener, and days that access logs are kept. force_destroy deletes them with the bucket."
  type = object({
    idle_timeout         = optional(number, 60)
    deletion_protection  = optional(bool, true)
    tls_policy           = optional(string, "ELBSecurityPolicy-TLS13-1-2-2021-06")
    test_port            = optional(number, 8443)
    access_log_days      = optional(number, 90)
    force_destroy        = optional(bool, false)
    deregistration_delay = optional(number, 30)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.load_balancer.idle_timeout >= 1 && var.load_balancer.idle_timeout <= 4000
    error_message = "load_balancer.idle_timeout must be from 1 to 4000 seconds."
  }
  validation {
    condition     = startswith(var.load_balancer.tls_policy, "ELBSecurityPolicy-TLS13-1-2-") || startswith(var.load_balancer.tls_policy, "ELBSecurityPolicy-TLS13-1-3-")
    error_message = "load_balancer.tls_policy must be an ELBSecurityPolicy-TLS13-1-2-… or -1-3-… policy: nothing older than TLS 1.2."
  }
  validation {
    condition     = var.load_balancer.test_port > 0 && var.load_balancer.test_port < 65536 && !contains([80, 443], var.load_balancer.test_port)
    error_message = "load_balancer.test_port must be from 1 to 65535, and not 80 or 443, which serve production."
  }
  validation {
    condition     = var.load_balancer.access_log_days >= 1
    error_message = "load_balancer.access_log_days must be at least 1."
  }
  validation {
    condition     = var.load_balancer.deregistration_delay >= 0 && var.load_balancer.deregistration_delay <= 3600
    error_message = "load_balancer.deregistration_delay must be from 0 to 3600 seconds."
  }
}

variable "health_check" {
  description = "How the load balancer checks a task: path, seconds between checks and until one fails, and how many in a row change its state."
  type = object({
    path                = optional(string, "/health")
    interval            = optional(number, 10)
    timeout             = optional(number, 5)
    healthy_threshold   = optional(number, 2)
    unhealthy_threshold = optional(number, 3)
  })
  default  = {}
  nullable = false

  validation {
    condition     = startswith(var.health_check.path, "/")
    error_message = "health_check.path must begin with a slash."
  }
  validation {
    condition     = var.health_check.interval >= 5 && var.health_check.interval <= 300 && var.health_check.timeout >= 2 && var.health_check.timeout < var.health_check.interval
    error_message = "health_check.interval must be from 5 to 300 seconds and health_check.timeout at least 2 and shorter than it."
  }
  validation {
    condition     = alltrue([for threshold in [var.health_check.healthy_threshold, var.health_check.unhealthy_threshold] : threshold >= 2 && threshold <= 10])
    error_message = "health_check's thresholds must be from 2 to 10."
  }
}

variable "service" {
  description = "The service: container port, CPU units and MiB of a task, whether ECS Exec may open a shell in one, and for how many seconds failing load balancer health checks do not count against a task that starts. Image, task definition and deployments are not Terraform's."
  type = object({
    container_name  = optional(string, "app")
    container_port  = optional(number, 8080)
    cpu             = optional(number, 512)
    memory          = optional(number, 1024)
    execute_command = optional(bool, false)
    log_days        = optional(number, 30)
    insights        = optional(string, "enabled")
    grace_seconds   = optional(number, 120)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096, 8192, 16384], var.service.cpu)
    error_message = "service.cpu must be a Fargate size: 256, 512, 1024, 2048, 4096, 8192 or 16384 CPU units."
  }
  validation {
    condition     = var.service.memory >= var.service.cpu * 2 && var.service.memory <= var.service.cpu * 8 && (var.service.memory == 512 || var.service.memory % 1024 == 0)
    error_message = "service.memory must fit Fargate: 2 to 8 MiB for each CPU unit, in steps of 1024 (512 with 256 CPU units)."
  }
  validation {
    condition     = var.service.container_port > 0 && var.service.container_port < 65536
    error_message = "service.container_port must be from 1 to 65535."
  }
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.service.log_days)
    error_message = "service.log_days must be a retention that CloudWatch Logs offers: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731."
  }
  validation {
    condition     = contains(["enabled", "enhanced", "disabled"], var.service.insights)
    error_message = "service.insights must be enabled, enhanced or disabled."
  }
  validation {
    condition     = var.service.grace_seconds >= 0 && var.service.grace_seconds <= 3600
    error_message = "service.grace_seconds must be from 0 to 3600."
  }
}

variable "scaling" {
  description = "How many tasks run between releases: bounds, and the average CPU percentage and requests a minute for each task that are aimed at."
  type = object({
    min                      = optional(number, 2)
    max                      = optional(number, 10)
    cpu_percent              = optional(number, 60)
    requests_per_task_minute = optional(number, 3000)
    scale_in_cooldown        = optional(number, 300)
    scale_out_cooldown       = optional(number, 60)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.scaling.min >= 1 && var.scaling.max >= var.scaling.min
    error_message = "scaling.min must be at least 1 and scaling.max not below it."
  }
  validation {
    condition     = var.scaling.cpu_percent >= 10 && var.scaling.cpu_percent <= 90
    error_message = "scaling.cpu_percent must be from 10 to 90."
  }
  validation {
    condition     = var.scaling.requests_per_task_minute >= 1
    error_message = "scaling.requests_per_task_minute must be at least 1."
  }
}

variable "registry" {
  description = "The image registry: days until an untagged image goes, and whether deleting the repository deletes its images. Images with a tag are the releases': the runbooks remove what no rollback can need."
  type = object({
    untagged_days = optional(number, 7)
    force_delete  = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.registry.untagged_days >= 1
    error_message = "registry.untagged_days must be at least 1."
  }
}
