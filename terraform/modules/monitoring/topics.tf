# Whom to tell. critical wakes somebody, warning is read in the morning, cost is about money.
# Budgets and Cost Anomaly Detection call from us-east-1, and an opt-in region such as eu-south-1 is
# not open to every service of another: their topic stands beside them.
# https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html
locals {
  topics = {
    critical  = { region = var.region, name = "${var.name}-critical", services = ["cloudwatch", "events", "backup", "events.rds"] }
    warning   = { region = var.region, name = "${var.name}-warning", services = ["cloudwatch", "events", "backup", "events.rds"] }
    us_east_1 = { region = "us-east-1", name = "${var.name}-us-east-1", services = ["cloudwatch", "events"] }
    cost      = { region = "us-east-1", name = "${var.name}-cost", services = ["budgets", "costalerts"] }
  }
  # Known before anything exists, so that key and topic policies need not wait for each other.
  topic_arns = {
    for key, topic in local.topics : key => "arn:aws:sns:${topic.region}:${var.account_id}:${topic.name}"
  }
  # Neither sends the account along. EventBridge: "You can't use Condition blocks"; AWS Backup takes
  # topics of its own account only.
  # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-troubleshooting.html
  # https://docs.aws.amazon.com/aws-backup/latest/devguide/backup-notifications.html
  services_without_source_account = ["events", "backup"]
}

resource "aws_sns_topic" "regional" {
  for_each = toset(["critical", "warning"])

  name              = local.topics[each.key].name
  kms_master_key_id = aws_kms_key.regional.arn
}

resource "aws_sns_topic" "us_east_1" {
  provider = aws.us_east_1
  for_each = toset(["us_east_1", "cost"])

  name              = local.topics[each.key].name
  kms_master_key_id = aws_kms_key.us_east_1.arn
}

data "aws_iam_policy_document" "topic" {
  for_each = local.topics

  # Replacing a topic's policy takes the owner's default statement away; this is what is left of it.
  statement {
    sid       = "Owner"
    actions   = ["sns:GetTopicAttributes", "sns:SetTopicAttributes", "sns:DeleteTopic", "sns:Subscribe", "sns:ListSubscriptionsByTopic", "sns:Publish"]
    resources = [local.topic_arns[each.key]]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${var.account_id}:root"]
    }
  }

  dynamic "statement" {
    for_each = toset(each.value.services)
    content {
      sid       = replace(title(replace(statement.value, ".", " ")), " ", "")
      actions   = ["sns:Publish"]
      resources = [local.topic_arns[each.key]]
      principals {
        type        = "Service"
        identifiers = ["${statement.value}.amazonaws.com"]
      }
      dynamic "condition" {
        for_each = contains(local.services_without_source_account, statement.value) ? [] : [var.account_id]
        content {
          test     = "StringEquals"
          variable = "aws:SourceAccount"
          values   = [condition.value]
        }
      }
    }
  }
}

resource "aws_sns_topic_policy" "regional" {
  for_each = aws_sns_topic.regional

  arn    = each.value.arn
  policy = data.aws_iam_policy_document.topic[each.key].json
}

resource "aws_sns_topic_policy" "us_east_1" {
  provider = aws.us_east_1
  for_each = aws_sns_topic.us_east_1

  arn    = each.value.arn
  policy = data.aws_iam_policy_document.topic[each.key].json
}

# An outage in us-east-1's metrics (the outside probe) is as urgent as one in the region's.
locals {
  addressees = { critical = var.alerts.critical, warning = var.alerts.warning, us_east_1 = var.alerts.critical, cost = var.alerts.warning }
  # A pager's address holds its key: addresses of resources show a digest instead.
  subscriptions = merge([
    for topic, subscribers in local.addressees : {
      for subscriber in subscribers :
      "${topic}-${subscriber.protocol}-${substr(sha256(subscriber.endpoint), 0, 8)}" => merge(subscriber, { topic = topic })
    }
  ]...)
}

resource "aws_sns_topic_subscription" "regional" {
  for_each = { for key, value in local.subscriptions : key => value if contains(["critical", "warning"], value.topic) }

  topic_arn              = aws_sns_topic.regional[each.value.topic].arn
  protocol               = each.value.protocol
  endpoint               = each.value.endpoint
  endpoint_auto_confirms = each.value.protocol == "https"
}

resource "aws_sns_topic_subscription" "us_east_1" {
  provider = aws.us_east_1
  for_each = { for key, value in local.subscriptions : key => value if contains(["us_east_1", "cost"], value.topic) }

  topic_arn              = aws_sns_topic.us_east_1[each.value.topic].arn
  protocol               = each.value.protocol
  endpoint               = each.value.endpoint
  endpoint_auto_confirms = each.value.protocol == "https"
}
