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
