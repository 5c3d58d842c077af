variable "name" {
  description = "Prefix of every name, such as lyo-production."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 24 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "subnet_ids" {
  description = "Private subnets of the database and the cache, in at least two availability zones."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids must name at least two subnets: RDS asks for two availability zones."
  }
}

variable "security_group_ids" {
  description = "Security groups of the database and the cache."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.security_group_ids) >= 1
    error_message = "security_group_ids must name at least one security group."
  }
}

variable "kms_key_arn" {
  description = "KMS key for storage, backups, Performance Insights, secrets and log groups; null takes the account's AWS managed keys. Its policy must let CloudWatch Logs use it."
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

variable "postgres" {
  description = "The RDS PostgreSQL instance: size, windows (UTC), protection, and what it logs. force_ssl refuses connections without TLS; final_snapshot names the snapshot taken at deletion (empty: none)."
  type = object({
    engine_version                 = optional(string, "18")
    instance_class                 = optional(string, "db.t3.micro")
    storage_gb                     = optional(number, 20)
    max_storage_gb                 = optional(number, 100)
    multi_az                       = optional(bool, true)
    database_name                  = optional(string, "lyo")
    username                       = optional(string, "lyo")
    port                           = optional(number, 5432)
    force_ssl                      = optional(bool, true)
    parameters                     = optional(map(string), {})
    backup_retention_days          = optional(number, 7)
    backup_window                  = optional(string, "01:30-02:30")
    maintenance_window             = optional(string, "tue:03:00-tue:04:00")
    deletion_protection            = optional(bool, true)
    final_snapshot                 = optional(string, "final")
    performance_insights_retention = optional(number, 7)
    log_exports                    = optional(set(string), ["postgresql", "upgrade"])
    log_retention_days             = optional(number, 30)
    apply_immediately              = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^1[4-9](\\.[0-9]+)?$", var.postgres.engine_version))
    error_message = "postgres.engine_version must be a PostgreSQL version from 14 on, such as 18 (RDS then chooses the minor version) or 18.1."
  }
  validation {
    condition     = startswith(var.postgres.instance_class, "db.")
    error_message = "postgres.instance_class must be an RDS instance class, such as db.t3.micro."
  }
  validation {
    condition     = var.postgres.storage_gb >= 20 && (var.postgres.max_storage_gb == 0 || var.postgres.max_storage_gb > var.postgres.storage_gb)
    error_message = "postgres.storage_gb must be at least 20 (gp3), and max_storage_gb greater, or 0 for no growth."
  }
  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,62}$", var.postgres.database_name)) && can(regex("^[a-z][a-z0-9_]{0,15}$", var.postgres.username))
    error_message = "postgres.database_name and postgres.username must begin with a letter and have only lower-case letters, digits and underscores (62 and 16 at most)."
  }
  validation {
    condition     = !contains(["rdsadmin", "admin", "postgres", "root"], var.postgres.username)
    error_message = "postgres.username must not be a name that RDS reserves or that everybody guesses first."
  }
  validation {
    condition     = var.postgres.backup_retention_days >= 1 && var.postgres.backup_retention_days <= 35
    error_message = "postgres.backup_retention_days must be from 1 to 35: without automated backups there is no point-in-time recovery."
  }
  validation {
    condition     = can(regex("^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$", var.postgres.backup_window)) && can(regex("^(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]-(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]$", var.postgres.maintenance_window))
    error_message = "postgres.backup_window must look like 01:30-02:30 and postgres.maintenance_window like tue:03:00-tue:04:00 (UTC)."
  }
  validation {
    condition     = contains([0, 7, 731], var.postgres.performance_insights_retention) || (var.postgres.performance_insights_retention % 31 == 0 && var.postgres.performance_insights_retention <= 713)
    error_message = "postgres.performance_insights_retention must be 0 (off), 7, a multiple of 31 up to 713, or 731 days."
  }
  validation {
    condition     = length(setsubtract(var.postgres.log_exports, ["postgresql", "upgrade", "iam-db-auth-error"])) == 0
    error_message = "postgres.log_exports may have postgresql, upgrade and iam-db-auth-error."
  }
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.postgres.log_retention_days)
    error_message = "postgres.log_retention_days must be a retention that CloudWatch Logs offers: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731."
  }
  validation {
    condition     = !contains(keys(var.postgres.parameters), "rds.force_ssl")
    error_message = "postgres.parameters must not set rds.force_ssl: postgres.force_ssl does."
  }
}

variable "cache" {
  description = "The ElastiCache replication group: engine, size, snapshots (windows in UTC). AUTH needs transit_encryption on AWS. With two nodes or more it fails over by itself; final_snapshot names the snapshot taken at deletion (empty: none)."
  type = object({
    engine             = optional(string, "valkey")
    engine_version     = optional(string, "8.1")
    node_type          = optional(string, "cache.t4g.micro")
    nodes              = optional(number, 2)
    port               = optional(number, 6379)
    transit_encryption = optional(bool, true)
    parameters         = optional(map(string), { "maxmemory-policy" = "volatile-lru" })
    snapshot_days      = optional(number, 7)
    snapshot_window    = optional(string, "02:30-03:30")
    maintenance_window = optional(string, "tue:04:00-tue:05:00")
    final_snapshot     = optional(string, "final")
    apply_immediately  = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["valkey", "redis"], var.cache.engine)
    error_message = "cache.engine must be valkey or redis."
  }
  validation {
    condition     = can(regex("^[0-9]+\\.[0-9]+$", var.cache.engine_version))
    error_message = "cache.engine_version must be major.minor, such as 8.1."
  }
  validation {
    condition     = startswith(var.cache.node_type, "cache.")
    error_message = "cache.node_type must be an ElastiCache node type, such as cache.t4g.micro."
  }
  validation {
    condition     = var.cache.nodes >= 1 && var.cache.nodes <= 6 && floor(var.cache.nodes) == var.cache.nodes
    error_message = "cache.nodes must be from 1 (no failover) to 6."
  }
  validation {
    condition     = var.cache.snapshot_days >= 1 && var.cache.snapshot_days <= 35
    error_message = "cache.snapshot_days must be from 1 to 35: snapshots are what brings sessions back."
  }
  validation {
    condition     = can(regex("^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$", var.cache.snapshot_window)) && can(regex("^(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]-(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]$", var.cache.maintenance_window))
    error_message = "cache.snapshot_window must look like 02:30-03:30 and cache.maintenance_window like tue:04:00-tue:05:00 (UTC)."
  }
}
