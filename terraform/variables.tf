variable "environment" {
  description = "Name of the environment; every name begins with lyo-<environment>."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["local", "staging", "production"], var.environment)
    error_message = "environment must be local, staging or production."
  }
}

variable "account_id" {
  description = "AWS account that this environment lives in; Terraform does nothing in another."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must have twelve digits."
  }
}

variable "region" {
  description = "AWS region that this environment lives in."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region, such as eu-south-1."
  }
}

variable "tags" {
  description = "Tags of every resource, besides Project, Environment and ManagedBy."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setintersection(keys(var.tags), ["Project", "Environment", "ManagedBy"])) == 0
    error_message = "tags must not set Project, Environment or ManagedBy: the provider does."
  }
}

variable "provider_settings" {
  description = "How the provider calls AWS: tries for each call, and S3 buckets as paths instead of host names (the local cloud's way)."
  type = object({
    max_retries       = optional(number, 25)
    s3_use_path_style = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.provider_settings.max_retries >= 1
    error_message = "provider_settings.max_retries must be at least 1."
  }
}

variable "retiring" {
  description = "The environment is being taken down: deletion protection goes off, buckets and the image registry go with their content. Final snapshots are taken all the same. Only destroy.yml sets it."
  type        = bool
  default     = false
  nullable    = false
}

variable "domain" {
  description = "Domain of the environment: the API is at api.<domain>, the dashboard at dashboard.<domain>."
  type        = string
  nullable    = false
}

variable "hosted_zone_id" {
  description = "Route 53 zone that the domain's records go to. null makes a zone of the domain: see A new zone."
  type        = string
  default     = null
}

variable "public_dns" {
  description = "Whether the domain's names resolve for those who use the URLs. false gives them addresses instead; only the local cloud's names resolve nowhere."
  type        = bool
  default     = true
  nullable    = false

  validation {
    condition     = var.public_dns || var.environment == "local"
    error_message = "public_dns must be true, except in the local cloud: certificates name the domain, not the load balancer's own name."
  }
}

variable "public_https_port" {
  description = "Port at which the outside reaches HTTPS; only the local cloud has another than 443."
  type        = number
  default     = 443
  nullable    = false

  validation {
    condition     = var.public_https_port == 443 || var.environment == "local"
    error_message = "public_https_port must be 443, except in the local cloud."
  }
}

variable "kms_key_arn" {
  description = "KMS key for everything stored; null takes the account's AWS managed keys. Its policy must let CloudWatch Logs use it."
  type        = string
  default     = null
}

variable "secret_recovery_days" {
  description = "Days in which a deleted secret can be brought back; 0 deletes at once."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.secret_recovery_days > 0 || var.environment != "production"
    error_message = "secret_recovery_days must not be 0 in production: a deleted secret could not be brought back."
  }
}

variable "network" {
  description = "The network: address range, zones by letter, number of NAT gateways, interface endpoints, flow logs, and who may reach the test listener. See modules/vpc."
  type = object({
    cidr                = optional(string, "10.0.0.0/16")
    zones               = optional(list(string), ["a", "b", "c"])
    nat_gateways        = optional(number, 2)
    interface_endpoints = optional(set(string), [])
    test_listener_cidrs = optional(list(string), [])
    flow_logs = optional(object({
      enabled        = optional(bool)
      traffic        = optional(string)
      retention_days = optional(number)
    }), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for zone in var.network.zones : can(regex("^[a-f]$", zone))])
    error_message = "network.zones must be letters of the region's zones, such as [\"a\", \"b\", \"c\"]."
  }
}

variable "postgres" {
  description = "The RDS PostgreSQL instance. Attributes and defaults: modules/database."
  type = object({
    engine_version                 = optional(string)
    instance_class                 = optional(string)
    storage_gb                     = optional(number)
    max_storage_gb                 = optional(number)
    multi_az                       = optional(bool)
    force_ssl                      = optional(bool)
    parameters                     = optional(map(string))
    backup_retention_days          = optional(number)
    backup_window                  = optional(string)
    maintenance_window             = optional(string)
    deletion_protection            = optional(bool)
    final_snapshot                 = optional(string)
    performance_insights_retention = optional(number)
    log_exports                    = optional(set(string))
    log_retention_days             = optional(number)
    monitoring_interval            = optional(number)
    iam_authentication             = optional(bool)
    password_rotation_days         = optional(number)
    apply_immediately              = optional(bool)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.environment != "production" || (var.postgres.final_snapshot != "" && var.postgres.deletion_protection != false && var.postgres.multi_az != false)
    error_message = "postgres must keep multi_az, deletion_protection and a final_snapshot in production."
  }
  validation {
    condition     = var.postgres.force_ssl != false || var.environment == "local"
    error_message = "postgres.force_ssl must stay true: only the local cloud's PostgreSQL has no TLS."
  }
}

variable "cache" {
  description = "The ElastiCache replication group. Attributes and defaults: modules/database."
  type = object({
    engine             = optional(string)
    engine_version     = optional(string)
    node_type          = optional(string)
    nodes              = optional(number)
    transit_encryption = optional(bool)
    parameters         = optional(map(string))
    snapshot_days      = optional(number)
    snapshot_window    = optional(string)
    maintenance_window = optional(string)
    final_snapshot     = optional(string)
    apply_immediately  = optional(bool)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.environment != "production" || (var.cache.final_snapshot != "" && coalesce(var.cache.nodes, 2) >= 2)
    error_message = "cache must keep at least two nodes and a final_snapshot in production."
  }
  validation {
    condition     = var.cache.transit_encryption != false || var.environment == "local"
    error_message = "cache.transit_encryption must stay true: only the local cloud's cache has no TLS."
  }
}

variable "backup" {
  description = "AWS Backup of the database. Attributes and defaults: modules/database."
  type = object({
    enabled = optional(bool)
    daily = optional(object({
      schedule  = optional(string)
      keep_days = optional(number)
    }))
    monthly = optional(object({
      schedule  = optional(string)
      keep_days = optional(number)
    }))
    lock = optional(object({
      enabled  = optional(bool)
      min_days = optional(number)
    }))
    copy = optional(object({
      enabled     = optional(bool)
      kms_key_arn = optional(string)
    }))
    restore_test = optional(object({
      enabled     = optional(bool)
      schedule    = optional(string)
      newest_days = optional(number)
      keep_hours  = optional(number)
    }))
    may_delete_arns = optional(set(string))
    notify_events   = optional(set(string))
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.environment != "production" || (var.backup.enabled != false && try(var.backup.lock.enabled, true) != false && try(var.backup.copy.enabled, true) != false && try(var.backup.restore_test.enabled, true) != false)
    error_message = "backup must be enabled in production, with a lock, copies in another region and restore tests."
  }
}

variable "backup_copy_region" {
  description = "AWS region that the copies of the backups go to. Whether AWS Backup copies from the environment's region is in the table of https://docs.aws.amazon.com/aws-backup/latest/devguide/backup-feature-availability.html; earlier editions left eu-south-1 out, so look before the first apply."
  type        = string
  default     = "eu-central-1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.backup_copy_region)) && var.backup_copy_region != var.region
    error_message = "backup_copy_region must be another AWS region than the environment's, such as eu-central-1: copies beside the originals go when they go."
  }
}

variable "operations" {
  description = "Logical backups, the ops image's log, and the schedules. Attributes and defaults: modules/operations."
  type = object({
    log_days = optional(number)
    backups = optional(object({
      lock_days        = optional(number)
      noncurrent_days  = optional(number)
      copy             = optional(bool)
      copy_kms_key_arn = optional(string)
      force_destroy    = optional(bool)
    }), {})
    schedules = optional(object({
      run_by           = optional(string)
      timezone         = optional(string)
      flexible_minutes = optional(number)
      backup           = optional(object({ expression = optional(string), missed_hours = optional(number) }))
      drift            = optional(object({ expression = optional(string), missed_hours = optional(number) }))
      drill            = optional(object({ expression = optional(string), missed_hours = optional(number) }))
    }), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.environment != "production" || (coalesce(var.operations.backups.lock_days, 7) >= 1 && var.operations.backups.copy != false && var.operations.backups.force_destroy != true)
    error_message = "operations.backups must keep a lock, a copy in another region, and its content (no force_destroy) in production."
  }
}

variable "load_balancer" {
  description = "The load balancer. Attributes and defaults: modules/application."
  type = object({
    idle_timeout         = optional(number)
    deletion_protection  = optional(bool)
    tls_policy           = optional(string)
    test_port            = optional(number)
    access_log_days      = optional(number)
    force_destroy        = optional(bool)
    deregistration_delay = optional(number)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.environment != "production" || (var.load_balancer.deletion_protection != false && var.load_balancer.force_destroy != true)
    error_message = "load_balancer must keep deletion_protection, and its logs (no force_destroy), in production."
  }
}

variable "health_check" {
  description = "How the load balancer checks a task. Attributes and defaults: modules/application."
  type = object({
    path                = optional(string)
    interval            = optional(number)
    timeout             = optional(number)
    healthy_threshold   = optional(number)
    unhealthy_threshold = optional(number)
  })
  default  = {}
  nullable = false
}

variable "public_health_check" {
  description = "How Route 53 checks the load balancer, to know where api.<domain> leads; the path is health_check's. Attributes and defaults: modules/dns."
  type = object({
    search_string     = optional(string)
    interval          = optional(number)
    failure_threshold = optional(number)
    regions           = optional(set(string))
  })
  default  = {}
  nullable = false
}

variable "service" {
  description = "The ECS service. Attributes and defaults: modules/application."
  type = object({
    container_name  = optional(string)
    container_port  = optional(number, 8080)
    cpu             = optional(number)
    memory          = optional(number)
    execute_command = optional(bool)
    log_days        = optional(number)
    insights        = optional(string)
    grace_seconds   = optional(number)
  })
  default  = {}
  nullable = false
}

variable "scaling" {
  description = "How many tasks run between releases. Attributes and defaults: modules/application."
  type = object({
    min                      = optional(number)
    max                      = optional(number)
    cpu_percent              = optional(number)
    requests_per_task_minute = optional(number)
    scale_in_cooldown        = optional(number)
    scale_out_cooldown       = optional(number)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.environment != "production" || coalesce(var.scaling.min, 2) >= 2
    error_message = "scaling.min must be at least 2 in production: one task is one failure away from none."
  }
}

variable "registry" {
  description = "The image registry. Attributes and defaults: modules/application."
  type = object({
    untagged_days = optional(number)
    force_delete  = optional(bool)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.environment != "production" || var.registry.force_delete != true
    error_message = "registry.force_delete must stay false in production: rollbacks need the images."
  }
}

variable "dashboard" {
  description = "The static dashboard. Attributes and defaults: modules/dns."
  type = object({
    price_class     = optional(string)
    noncurrent_days = optional(number)
    force_destroy   = optional(bool)
  })
  default  = {}
  nullable = false
}

variable "alerts" {
  description = "Who is told of alarms: subscribers of the critical and of the warning topic. A pager's URL holds its key: give it in a file outside of the repository (-var-file). Attributes and defaults: modules/monitoring."
  type = object({
    critical          = optional(list(object({ protocol = string, endpoint = string })), [])
    warning           = optional(list(object({ protocol = string, endpoint = string })), [])
    key_deletion_days = optional(number)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.environment != "production" || (length(var.alerts.critical) >= 1 && length(var.alerts.warning) >= 1)
    error_message = "alerts must name at least one subscriber of critical and one of warning in production: an alarm that nobody hears is none."
  }
}

variable "slo" {
  description = "How many percent of requests must succeed over 30 days, and how many failures ring at least. Defaults: modules/monitoring."
  type = object({
    availability     = optional(number)
    minimum_failures = optional(number)
  })
  default  = {}
  nullable = false
}

variable "thresholds" {
  description = "Where alarms begin, of each that is a number. Attributes and defaults: modules/monitoring."
  type        = map(number)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setsubtract(keys(var.thresholds), ["load_balancer_5xx", "target_5xx_percent", "latency_seconds", "minimum_requests", "service_cpu_percent", "service_memory_percent", "database_cpu_percent", "database_free_memory_mb", "database_connections", "database_disk_queue", "cache_cpu_percent", "cache_memory_percent", "cache_connections", "cache_lag_seconds"])) == 0
    error_message = "thresholds has an attribute that modules/monitoring does not know: it would be ignored."
  }
}

variable "budget" {
  description = "The month's budget of the account in US dollars, and whether unusual spending is told. Attributes and defaults: modules/monitoring."
  type = object({
    monthly_usd         = optional(number)
    anomaly_detection   = optional(bool)
    anomaly_monitor_arn = optional(string)
    anomaly_usd         = optional(number)
  })
  default  = {}
  nullable = false
}

variable "waf" {
  description = "The web ACL in front of the load balancer. Attributes and defaults: modules/security."
  type = object({
    webhook_path  = optional(string)
    webhook_limit = optional(number)
    request_limit = optional(number)
    count_only    = optional(set(string))
    count_rules   = optional(map(set(string)))
    versions      = optional(map(string))
    log_days      = optional(number)
    blocked_alarm = optional(number)
    webhook_alarm = optional(number)
  })
  default  = {}
  nullable = false
}

variable "guardduty" {
  description = "GuardDuty in the environment's region. Attributes and defaults: modules/security."
  type = object({
    enabled           = optional(bool)
    publish_frequency = optional(string)
    warning_severity  = optional(number)
    critical_severity = optional(number)
    features = optional(object({
      s3_data_events     = optional(bool)
      rds_login_events   = optional(bool)
      runtime_monitoring = optional(bool)
      ebs_malware        = optional(bool)
      lambda_network     = optional(bool)
      eks_audit_logs     = optional(bool)
    }))
  })
  default  = {}
  nullable = false
}

variable "account_findings" {
  description = "IAM Access Analyzer and AWS Health. Attributes and defaults: modules/security."
  type = object({
    access_analyzer = optional(bool)
    health          = optional(bool)
  })
  default  = {}
  nullable = false
}
