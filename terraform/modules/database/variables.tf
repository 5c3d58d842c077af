variable "name" {
  description = "Prefix of every name, such as lyo-production."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 24 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "vpc_id" {
  description = "VPC of the subnets, for the security group of instances restored as a test."
  type        = string
  nullable    = false

  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "vpc_id must be the id of a VPC, such as vpc-0123456789abcdef0."
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
  description = "The RDS PostgreSQL instance: size, windows (UTC), protection, and what it logs. force_ssl refuses connections without TLS; final_snapshot names the snapshot taken at deletion (empty: none). password_rotation_days is how often RDS changes the master password (AWS's default: 7): running tasks keep the password they began with and cannot open connections until they are replaced, so take a long time, such as 365, and follow each rotation with a release. monitoring_interval is the seconds between samples of the operating system (0: off; at 60 well under a dollar a month). iam_authentication lets IAM users log in without a password; it takes 300 MB or more of memory, much of a micro instance."
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
    monitoring_interval            = optional(number, 60)
    iam_authentication             = optional(bool, false)
    password_rotation_days         = optional(number, 7)
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
    condition     = contains([0, 1, 5, 10, 15, 30, 60], var.postgres.monitoring_interval)
    error_message = "postgres.monitoring_interval must be 0 (off), 1, 5, 10, 15, 30 or 60 seconds."
  }
  validation {
    condition     = var.postgres.password_rotation_days >= 1 && var.postgres.password_rotation_days <= 1000 && floor(var.postgres.password_rotation_days) == var.postgres.password_rotation_days
    error_message = "postgres.password_rotation_days must be a whole number from 1 to 1000."
  }
  validation {
    condition     = !contains(keys(var.postgres.parameters), "rds.force_ssl")
    error_message = "postgres.parameters must not set rds.force_ssl: postgres.force_ssl does."
  }
}

variable "instances" {
  description = "Identifiers of the RDS instances by key: first for the one that Terraform has made (name), the identifier itself for one that restore.yml has made, which has to exist. Empty: the first alone."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key, identifier in var.instances : key == (identifier == var.name ? "first" : identifier)])
    error_message = "the key of an instance must be its identifier, and first for the one that has the name of the environment."
  }
}

variable "serving" {
  description = "Key of the instance that the application uses."
  type        = string
  default     = "first"
  nullable    = false

  validation {
    condition     = var.serving == "first" || contains(keys(var.instances), var.serving)
    error_message = "serving must be the key of one of the instances."
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
    condition     = var.cache.engine != "redis" || startswith(var.cache.engine_version, "7.")
    error_message = "cache.engine_version must be 7.0 or 7.1 for redis: ElastiCache has no later one, and those before name their parameter families differently."
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

variable "notifications" {
  description = "SNS topic for events of the instance and failed backups; null: none. Its policy, and its key's, must let events.rds.amazonaws.com and backup.amazonaws.com publish."
  type = object({
    topic_arn = string
  })
  default = null
}

variable "backup" {
  description = "AWS Backup of the database, beside RDS's own backups: daily and monthly recovery points (schedules in UTC, outside the hour before the instance's own windows), their copies in the region of the provider aws.backup_copy (encrypted by kms_key_arn there; null makes a key, a dollar a month), a lock in governance mode that keeps each for min_days, who may delete before their time (may_delete_arns; by default nobody until the vault's policy is removed), the events that are told, and a restore as a test (about 1.60 USD each, and the instance's hours)."
  type = object({
    enabled = optional(bool, true)
    daily = optional(object({
      schedule  = optional(string, "cron(0 5 * * ? *)")
      keep_days = optional(number, 35)
    }), {})
    monthly = optional(object({
      schedule  = optional(string, "cron(0 7 1 * ? *)")
      keep_days = optional(number, 365)
    }), {})
    lock = optional(object({
      enabled  = optional(bool, true)
      min_days = optional(number, 7)
    }), {})
    copy = optional(object({
      enabled     = optional(bool, true)
      kms_key_arn = optional(string)
    }), {})
    restore_test = optional(object({
      enabled     = optional(bool, true)
      schedule    = optional(string, "cron(0 9 2 * ? *)")
      newest_days = optional(number, 7)
      keep_hours  = optional(number, 4)
    }), {})
    may_delete_arns = optional(set(string), [])
    notify_events   = optional(set(string), ["COPY_JOB_FAILED", "RESTORE_JOB_COMPLETED"])
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for schedule in [var.backup.daily.schedule, var.backup.monthly.schedule, var.backup.restore_test.schedule] : can(regex("^cron\\(([^ ]+ ){5}[^ ]+\\)$", schedule))])
    error_message = "backup: daily.schedule, monthly.schedule and restore_test.schedule must be cron expressions of six fields, such as cron(0 5 * * ? *)."
  }
  validation {
    condition     = var.backup.daily.keep_days >= 1 && var.backup.monthly.keep_days >= var.backup.daily.keep_days && var.backup.monthly.keep_days <= 36500
    error_message = "backup: daily.keep_days must be at least 1, and monthly.keep_days at least as many, 36500 at most."
  }
  validation {
    condition     = !var.backup.lock.enabled || (var.backup.lock.min_days >= 1 && var.backup.lock.min_days <= var.backup.daily.keep_days)
    error_message = "backup: lock.min_days must be from 1 to daily.keep_days: a locked vault refuses recovery points that would be deleted earlier."
  }
  validation {
    condition     = var.backup.copy.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:", var.backup.copy.kms_key_arn))
    error_message = "backup: copy.kms_key_arn must be the ARN of a KMS key in the copies' region, or null."
  }
  validation {
    condition     = var.backup.restore_test.newest_days >= 1 && var.backup.restore_test.newest_days <= 365 && var.backup.restore_test.keep_hours >= 1 && var.backup.restore_test.keep_hours <= 168
    error_message = "backup: restore_test.newest_days must be from 1 to 365 and restore_test.keep_hours from 1 to 168."
  }
  validation {
    condition     = alltrue([for principal in var.backup.may_delete_arns : can(regex("^arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:", principal))])
    error_message = "backup: may_delete_arns must be ARNs of roles or users."
  }
  validation {
    condition     = length(var.backup.notify_events) > 0 && length(setsubtract(var.backup.notify_events, ["BACKUP_JOB_STARTED", "BACKUP_JOB_COMPLETED", "COPY_JOB_STARTED", "COPY_JOB_SUCCESSFUL", "COPY_JOB_FAILED", "RESTORE_JOB_STARTED", "RESTORE_JOB_COMPLETED", "RECOVERY_POINT_MODIFIED"])) == 0
    error_message = "backup: notify_events must be events that AWS Backup still sends: BACKUP_JOB_STARTED, BACKUP_JOB_COMPLETED, COPY_JOB_STARTED, COPY_JOB_SUCCESSFUL, COPY_JOB_FAILED, RESTORE_JOB_STARTED, RESTORE_JOB_COMPLETED or RECOVERY_POINT_MODIFIED."
  }
}
