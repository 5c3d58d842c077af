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
  description = "AWS region of the load balancer."
  type        = string
  nullable    = false
}

variable "account_id" {
  description = "AWS account of the environment; only its log deliveries may write WAF's logs."
  type        = string
  nullable    = false
}

variable "load_balancer_arn" {
  description = "ARN of the Application Load Balancer that the web ACL protects."
  type        = string
  nullable    = false
}

variable "topic_arns" {
  description = "SNS topics of who is told: critical (wakes somebody up) and warning (read in the morning), both in this region."
  type = object({
    critical = string
    warning  = string
  })
  nullable = false
}

variable "kms_key_arn" {
  description = "KMS key for WAF's log; null takes CloudWatch Logs' own."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key, or null."
  }
}

variable "waf" {
  description = "The web ACL: the webhook's and the health check's path; requests that one address may send to the webhook in five minutes and elsewhere in one; rules, and rules of a managed group, that only count; versions of managed groups to stay on (none: AWS's default); days that its log is kept; blocked requests in five minutes that are a spike."
  type = object({
    webhook_path  = optional(string, "/webhook")
    health_path   = optional(string, "/health")
    webhook_limit = optional(number, 100000)
    request_limit = optional(number, 600)
    count_only    = optional(set(string), [])
    count_rules   = optional(map(set(string)), {})
    versions      = optional(map(string), {})
    log_days      = optional(number, 90)
    blocked_alarm = optional(number, 500)
    webhook_alarm = optional(number, 1)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for path in [var.waf.webhook_path, var.waf.health_path] : can(regex("^/[A-Za-z0-9/_.-]*[A-Za-z0-9_-]$", path))]) && var.waf.webhook_path != var.waf.health_path
    error_message = "waf.webhook_path and waf.health_path must be two different paths that begin with a slash and do not end with one: they are compared letter by letter."
  }
  validation {
    condition     = var.waf.webhook_limit >= 10000 && var.waf.webhook_limit <= 2000000000
    error_message = "waf.webhook_limit must be from 10000 to 2000000000 requests in five minutes: Meta sends everything from a few addresses, 2,000 a minute from one after an outage."
  }
  validation {
    condition     = var.waf.request_limit >= 10 && var.waf.request_limit < var.waf.webhook_limit / 5
    error_message = "waf.request_limit must be at least 10 requests a minute, and lower than what the webhook allows in a minute."
  }
  validation {
    condition     = length(setsubtract(var.waf.count_only, ["webhook-methods", "webhook-rate", "request-rate", "ip-reputation", "common", "known-bad-inputs", "sql-injection"])) == 0
    error_message = "waf.count_only must name rules of the web ACL: webhook-methods, webhook-rate, request-rate, ip-reputation, common, known-bad-inputs or sql-injection."
  }
  validation {
    condition     = length(setsubtract(concat(keys(var.waf.count_rules), keys(var.waf.versions)), ["common", "known-bad-inputs", "sql-injection"])) == 0
    error_message = "waf.count_rules and waf.versions must be for managed groups: common, known-bad-inputs or sql-injection. (The list of IP addresses has no versions; to let it count only, name ip-reputation in waf.count_only.)"
  }
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.waf.log_days)
    error_message = "waf.log_days must be a number of days that CloudWatch Logs offers, such as 30, 90 or 365."
  }
  validation {
    condition     = var.waf.blocked_alarm >= 1 && var.waf.webhook_alarm >= 1
    error_message = "waf.blocked_alarm and waf.webhook_alarm must be at least 1."
  }
}

variable "guardduty" {
  description = "GuardDuty. enabled = false where an organization owns the region's detector (its findings are still reported). Each feature that is on costs by what it watches; runtime_monitoring by the vCPU, and it puts an agent into every task. Severities from which a finding is a warning and critical."
  type = object({
    enabled           = optional(bool, true)
    publish_frequency = optional(string, "FIFTEEN_MINUTES")
    warning_severity  = optional(number, 4)
    critical_severity = optional(number, 7)
    features = optional(object({
      s3_data_events     = optional(bool, true)
      rds_login_events   = optional(bool, true)
      runtime_monitoring = optional(bool, false)
      ebs_malware        = optional(bool, false)
      lambda_network     = optional(bool, false)
      eks_audit_logs     = optional(bool, false)
    }), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["FIFTEEN_MINUTES", "ONE_HOUR", "SIX_HOURS"], var.guardduty.publish_frequency)
    error_message = "guardduty.publish_frequency must be FIFTEEN_MINUTES, ONE_HOUR or SIX_HOURS."
  }
  validation {
    condition     = var.guardduty.warning_severity >= 1 && var.guardduty.warning_severity < var.guardduty.critical_severity && var.guardduty.critical_severity <= 10
    error_message = "guardduty.warning_severity must be at least 1 and below critical_severity, which must be at most 10."
  }
}

variable "account_findings" {
  description = "What else is reported about the account, both free: access_analyzer finds what is shared with other accounts or the public (off where an organization's analyzer does it), health passes on AWS's own issues and maintenance."
  type = object({
    access_analyzer = optional(bool, true)
    health          = optional(bool, true)
  })
  default  = {}
  nullable = false
}
