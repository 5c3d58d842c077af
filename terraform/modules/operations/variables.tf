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

variable "cluster_name" {
  description = "ECS cluster that ops tasks run in."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.cluster_name) > 0
    error_message = "cluster_name must be the name of an ECS cluster."
  }
}

variable "subnet_ids" {
  description = "Private subnets of ops tasks."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.subnet_ids) >= 1 && length(var.subnet_ids) <= 16
    error_message = "subnet_ids must name from one to 16 subnets."
  }
}

variable "security_group_ids" {
  description = "Security groups of ops tasks: they must reach the database and HTTPS."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.security_group_ids) >= 1 && length(var.security_group_ids) <= 5
    error_message = "security_group_ids must name from one to five security groups."
  }
}

variable "secret_arns" {
  description = "Secrets that ops tasks may read: the database's, the cache's, and what else the configuration itself has."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.secret_arns) >= 1
    error_message = "secret_arns must name the database's secret at least: backups log in with it."
  }
}

variable "topic_arns" {
  description = "SNS topics that a runbook may tell its end to, by severity."
  type        = map(string)
  nullable    = false

  validation {
    condition     = length(var.topic_arns) >= 1
    error_message = "topic_arns must name one topic at least."
  }
}

variable "kms_key_arn" {
  description = "KMS key of the backups, the registry and the log group; null takes the account's AWS managed keys. Its policy must let CloudWatch Logs use it."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key, or null."
  }
}

variable "registry" {
  description = "The registry of the ops image: how many images stay, and whether deleting the repository deletes its images."
  type = object({
    keep_images  = optional(number, 10)
    force_delete = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.registry.keep_images >= 2 && floor(var.registry.keep_images) == var.registry.keep_images
    error_message = "registry.keep_images must be a whole number from 2 on: tasks run of one while the next is pushed."
  }
}

variable "log_days" {
  description = "Days that logs of ops tasks are kept."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_days)
    error_message = "log_days must be a retention that CloudWatch Logs offers: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731."
  }
}

variable "backups" {
  description = "The buckets of logical backups: days that a completed backup is locked (governance mode; 0: not), days until a deleted one is gone for good, whether there is a copy in the region of the provider aws.backup_copy, and by which key it is encrypted (null: AWS's own). force_destroy deletes the backups with the buckets, locked ones too."
  type = object({
    lock_days        = optional(number, 7)
    noncurrent_days  = optional(number, 7)
    copy             = optional(bool, true)
    copy_kms_key_arn = optional(string)
    force_destroy    = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.backups.lock_days >= 0 && var.backups.lock_days <= 365 && floor(var.backups.lock_days) == var.backups.lock_days
    error_message = "backups.lock_days must be a whole number from 0 to 365."
  }
  validation {
    condition     = var.backups.noncurrent_days >= 1 && floor(var.backups.noncurrent_days) == var.backups.noncurrent_days
    error_message = "backups.noncurrent_days must be a whole number from 1 on."
  }
  validation {
    condition     = var.backups.copy_kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:", var.backups.copy_kms_key_arn))
    error_message = "backups.copy_kms_key_arn must be the ARN of a KMS key in the copies' region, or null."
  }
}

variable "schedules" {
  description = "Runbooks that run by themselves. run_by says who starts them: nobody (the ops image does not exist yet), eventbridge (the schedules are enabled), or systemd (timers on a machine; the schedules stay disabled). Of each: when (expression, in timezone) and after how many hours without a success it is told. flexible_minutes spreads the starts."
  type = object({
    run_by           = optional(string, "nobody")
    timezone         = optional(string, "Europe/Rome")
    flexible_minutes = optional(number, 0)
    backup = optional(object({
      expression   = optional(string, "cron(30 4 * * ? *)")
      missed_hours = optional(number, 26)
    }), {})
    drift = optional(object({
      expression   = optional(string, "cron(0 6 * * ? *)")
      missed_hours = optional(number, 26)
    }), {})
    drill = optional(object({
      expression   = optional(string, "cron(0 5 3 * ? *)")
      missed_hours = optional(number, 840)
    }), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["nobody", "eventbridge", "systemd"], var.schedules.run_by)
    error_message = "schedules.run_by must be nobody, eventbridge or systemd."
  }
  validation {
    condition     = alltrue([for schedule in [var.schedules.backup, var.schedules.drift, var.schedules.drill] : can(regex("^(cron\\(([^ ]+ ){5}[^ ]+\\)|rate\\([1-9][0-9]* (minute|hour|day)s?\\))$", schedule.expression))])
    error_message = "schedules: each expression must be cron(…) of six fields, such as cron(30 4 * * ? *), or rate(…), such as rate(1 day)."
  }
  # CloudWatch looks back a week at most.
  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
  validation {
    condition     = alltrue([for schedule in [var.schedules.backup, var.schedules.drift] : schedule.missed_hours >= 1 && schedule.missed_hours <= 168]) && var.schedules.drill.missed_hours >= 1
    error_message = "schedules: missed_hours must be from 1 to 168 for backup and drift, and at least 1 for drill."
  }
  validation {
    condition     = var.schedules.flexible_minutes >= 0 && var.schedules.flexible_minutes <= 1440
    error_message = "schedules.flexible_minutes must be from 0 (exactly then) to 1440."
  }
}
