# What finds something, and whom it tells. The topics' policy (module monitoring) lets this account's
# events publish.
locals {
  # https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings_eventbridge.html
  guardduty_message = <<-TEXT
    "GuardDuty, severity <severity>: <type>"
    "<title>"
    "<description>"
    "Account <account>, region <region>, at <time>, seen <count> times."
    "https://console.aws.amazon.com/guardduty/home?region=<region>#/findings?search=id%3D<id>"
  TEXT
  guardduty_paths = {
    severity    = "$.detail.severity"
    type        = "$.detail.type"
    title       = "$.detail.title"
    description = "$.detail.description"
    count       = "$.detail.service.count"
    id          = "$.detail.id"
    account     = "$.account"
    region      = "$.region"
    time        = "$.time"
  }

  reports = merge(
    {
      guardduty-critical = {
        description = "GuardDuty findings of severity ${var.guardduty.critical_severity} and more"
        topic       = var.topic_arns.critical
        message     = local.guardduty_message
        paths       = local.guardduty_paths
        pattern = {
          source      = ["aws.guardduty"]
          detail-type = ["GuardDuty Finding"]
          detail      = { severity = [{ numeric = [">=", var.guardduty.critical_severity] }] }
        }
      }
      guardduty-warning = {
        description = "GuardDuty findings of severity ${var.guardduty.warning_severity} to ${var.guardduty.critical_severity}"
        topic       = var.topic_arns.warning
        message     = local.guardduty_message
        paths       = local.guardduty_paths
        pattern = {
          source      = ["aws.guardduty"]
          detail-type = ["GuardDuty Finding"]
          detail      = { severity = [{ numeric = [">=", var.guardduty.warning_severity, "<", var.guardduty.critical_severity] }] }
        }
      }
    },
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-eventbridge.html
    var.account_findings.access_analyzer ? {
      access-analyzer = {
        description = "New findings of IAM Access Analyzer"
        topic       = var.topic_arns.warning
        message     = <<-TEXT
          "IAM Access Analyzer: <resource> (<type>) can be reached from outside this account."
          "Public: <public>. Account <account>, region <region>, at <time>."
          "https://console.aws.amazon.com/access-analyzer/home?region=<region>#/findings"
        TEXT
        paths = {
          resource = "$.detail.resource"
          type     = "$.detail.resourceType"
          public   = "$.detail.isPublic"
          account  = "$.account"
          region   = "$.region"
          time     = "$.time"
        }
        pattern = {
          source      = ["aws.access-analyzer"]
          detail-type = ["Access Analyzer Finding"]
          detail      = { status = ["ACTIVE"], isDeleted = [false] }
        }
      }
    } : {},
    # Issues of AWS that touch this account, and maintenance it announces.
    # https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html
    var.account_findings.health ? {
      aws-health = {
        description = "AWS Health: issues and maintenance"
        topic       = var.topic_arns.warning
        message     = <<-TEXT
          "AWS Health, <category> of <service>: <code>"
          "Account <account>, region <region>, begins <start>."
          "https://health.aws.amazon.com/health/home"
        TEXT
        paths = {
          category = "$.detail.eventTypeCategory"
          service  = "$.detail.service"
          code     = "$.detail.eventTypeCode"
          start    = "$.detail.startTime"
          account  = "$.account"
          region   = "$.region"
        }
        pattern = {
          source      = ["aws.health"]
          detail-type = ["AWS Health Event"]
          detail      = { eventTypeCategory = ["issue", "scheduledChange"] }
        }
      }
    } : {},
  )
}

resource "aws_cloudwatch_event_rule" "report" {
  for_each = local.reports

  name          = "${var.name}-${each.key}"
  description   = each.value.description
  event_pattern = jsonencode(each.value.pattern)
}

resource "aws_cloudwatch_event_target" "report" {
  for_each = local.reports

  rule      = aws_cloudwatch_event_rule.report[each.key].name
  target_id = "topic"
  arn       = each.value.topic

  input_transformer {
    input_paths    = each.value.paths
    input_template = trimspace(each.value.message)
  }
}

resource "aws_accessanalyzer_analyzer" "this" {
  count = var.account_findings.access_analyzer ? 1 : 0

  analyzer_name = var.name
  type          = "ACCOUNT"
}
