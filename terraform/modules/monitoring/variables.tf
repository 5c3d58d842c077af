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
  description = "AWS region of what is watched, such as eu-south-1."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region, such as eu-south-1."
  }
}

variable "account_id" {
  description = "AWS account id; part of the topics' ARNs, and whose services may publish."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must have twelve digits."
  }
}

variable "alerts" {
  description = "Who is told: subscribers of the critical topic (wakes somebody) and of the warning topic (read in the morning), each by email or by https (a pager that confirms by itself). key_deletion_days is how long a deleted key of the topics can be brought back."
  type = object({
    critical          = optional(list(object({ protocol = string, endpoint = string })), [])
    warning           = optional(list(object({ protocol = string, endpoint = string })), [])
    key_deletion_days = optional(number, 30)
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for subscriber in concat(var.alerts.critical, var.alerts.warning) :
      (subscriber.protocol == "email" && can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", subscriber.endpoint))) || (subscriber.protocol == "https" && startswith(subscriber.endpoint, "https://"))
    ])
    error_message = "alerts' subscribers must be {protocol = \"email\", endpoint = an address} or {protocol = \"https\", endpoint = a URL}."
  }
  validation {
    condition     = var.alerts.key_deletion_days >= 7 && var.alerts.key_deletion_days <= 30
    error_message = "alerts.key_deletion_days must be from 7 to 30."
  }
}

variable "load_balancer" {
  description = "The load balancer as its metrics name it: arn_suffix, and the target groups' arn_suffix by colour."
  type = object({
    arn_suffix                = string
    target_group_arn_suffixes = map(string)
  })
  nullable = false

  validation {
    condition     = alltrue([for colour in keys(var.load_balancer.target_group_arn_suffixes) : can(regex("^[a-z][a-z0-9_]*$", colour))]) && length(var.load_balancer.target_group_arn_suffixes) >= 1
    error_message = "load_balancer.target_group_arn_suffixes must have at least one colour, each a word in lower case: metric math names its metrics by it."
  }
}

variable "service" {
  description = "The ECS service: cluster_name, name, the least and the most tasks that run between releases, and whether the cluster has Container Insights (without them the number of tasks is not watched)."
  type = object({
    cluster_name = string
    name         = string
    minimum      = number
    maximum      = number
    insights     = optional(bool, true)
  })
  nullable = false

  validation {
    condition     = var.service.minimum >= 1 && var.service.maximum >= var.service.minimum
    error_message = "service.minimum must be at least 1 and service.maximum not below it."
  }
}

variable "database" {
  description = "The RDS instance: identifier, instance_class (CPU credits are watched where it has them) and storage_gb."
  type = object({
    identifier     = string
    instance_class = string
    storage_gb     = number
  })
  nullable = false

  validation {
    condition     = startswith(var.database.instance_class, "db.") && var.database.storage_gb > 0
    error_message = "database.instance_class must be an RDS instance class, such as db.t3.micro, and storage_gb greater than 0."
  }
}

variable "cache" {
  description = "The ElastiCache replication group: replication_group_id and its number of nodes."
  type = object({
    replication_group_id = string
    nodes                = number
  })
  nullable = false

  validation {
    condition     = var.cache.nodes >= 1
    error_message = "cache.nodes must be at least 1."
  }
}

variable "nat_gateway_ids" {
  description = "Ids of the NAT gateways, by availability zone."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "backup_vault_name" {
  description = "Vault of AWS Backup whose jobs are watched; null: none."
  type        = string
  default     = null
}

variable "backups" {
  description = "Backups that the runbooks take, whose metrics carry this environment's name; null: none are watched."
  type = object({
    environment = string
  })
  default = null
}

variable "schedules" {
  description = "Runbooks that run by themselves: the group and the queue of EventBridge Scheduler, who runs them (nobody, eventbridge, systemd), and hours without a success after which each of backup, drift and drill is told; null: none."
  type = object({
    group        = string
    queue_name   = string
    run_by       = string
    missed_hours = map(number)
  })
  default = null
}

variable "web_acl_name" {
  description = "Web ACL whose numbers the dashboard shows; null: none."
  type        = string
  default     = null
}

variable "other_alarm_arns" {
  description = "Alarms of other modules that the dashboard shows beside this module's, of any region."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "slo" {
  description = "The objective: how many percent of requests must succeed over 30 days, and how many failures in a long window are the least that ring."
  type = object({
    availability     = optional(number, 99.9)
    minimum_failures = optional(number, 10)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.slo.availability >= 90 && var.slo.availability <= 99.99
    error_message = "slo.availability must be from 90 to 99.99 percent: with more, one failed release a year spends it all."
  }
  validation {
    condition     = var.slo.minimum_failures >= 1
    error_message = "slo.minimum_failures must be at least 1."
  }
}

variable "thresholds" {
  description = "Where alarms begin: 5xx of the load balancer in five minutes, percent of the targets' 5xx, p99 in seconds, requests a minute below which neither ratio nor p99 count; percent of CPU and memory of tasks, database, cache; the database's free memory, connections and waiting I/O (for 1 GiB of memory), the cache's connections and seconds of lag."
  type = object({
    load_balancer_5xx       = optional(number, 20)
    target_5xx_percent      = optional(number, 5)
    latency_seconds         = optional(number, 2)
    minimum_requests        = optional(number, 20)
    service_cpu_percent     = optional(number, 85)
    service_memory_percent  = optional(number, 85)
    database_cpu_percent    = optional(number, 80)
    database_free_memory_mb = optional(number, 64)
    database_connections    = optional(number, 60)
    database_disk_queue     = optional(number, 10)
    cache_cpu_percent       = optional(number, 80)
    cache_memory_percent    = optional(number, 80)
    cache_connections       = optional(number, 500)
    cache_lag_seconds       = optional(number, 10)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name, value in var.thresholds : value > 0])
    error_message = "thresholds must be greater than 0."
  }
  validation {
    condition     = alltrue([for name, value in var.thresholds : value < 100 if endswith(name, "_percent")])
    error_message = "thresholds in percent must be below 100: an alarm at 100 percent is too late."
  }
}

variable "budget" {
  description = "The month's budget in US dollars for the whole account, told at 80 % and 100 % of it and when the forecast exceeds it; and whether unusual spending is told, from how many dollars on. An account may have one monitor of all its services: name it in anomaly_monitor_arn if it has one."
  type = object({
    monthly_usd         = optional(number, 177)
    anomaly_detection   = optional(bool, true)
    anomaly_monitor_arn = optional(string)
    anomaly_usd         = optional(number, 10)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.budget.monthly_usd > 0 && var.budget.anomaly_usd > 0
    error_message = "budget.monthly_usd and budget.anomaly_usd must be greater than 0."
  }
  validation {
    condition     = var.budget.anomaly_monitor_arn == null || can(regex("^arn:aws:ce::[0-9]{12}:anomalymonitor/", var.budget.anomaly_monitor_arn))
    error_message = "budget.anomaly_monitor_arn must be the ARN of a monitor of Cost Anomaly Detection, arn:aws:ce::…:anomalymonitor/…, or null."
  }
}
