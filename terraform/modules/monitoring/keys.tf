# Customer managed keys ($1 a month each, in the region and in us-east-1): the policy of AWS's own
# alias/aws/sns lets no service publish, and cannot be changed.
# https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
locals {
  key_topics = {
    for region in ["regional", "us_east_1"] : region => [
      for key in sort(keys(local.topics)) : key if contains(["us_east_1", "cost"], key) == (region == "us_east_1")
    ]
  }
}

data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109:A key's policy names the account's root, or nobody could manage the key
  #checkov:skip=CKV_AWS_111:The account's root, as in its default policy
  #checkov:skip=CKV_AWS_356:In a key's policy "*" is the key itself
  for_each = local.key_topics

  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${var.account_id}:root"]
    }
  }

  # EventBridge sends no source account with its use of a key, so all are held to these topics by
  # the context that SNS encrypts with; each topic's policy says whose messages it takes.
  statement {
    sid       = "Publishers"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = sort([for service in distinct(flatten([for key in each.value : local.topics[key].services])) : "${service}.amazonaws.com"])
    }
    condition {
      test     = "StringEquals"
      variable = "kms:EncryptionContext:aws:sns:topicArn"
      values   = [for key in each.value : local.topic_arns[key]]
    }
  }
}

resource "aws_kms_key" "regional" {
  description             = "Notifications of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = var.alerts.key_deletion_days
  policy                  = data.aws_iam_policy_document.key["regional"].json
}

resource "aws_kms_alias" "regional" {
  name          = "alias/${var.name}-notifications"
  target_key_id = aws_kms_key.regional.key_id
}

resource "aws_kms_key" "us_east_1" {
  provider = aws.us_east_1

  description             = "Notifications of ${var.name} from us-east-1"
  enable_key_rotation     = true
  deletion_window_in_days = var.alerts.key_deletion_days
  policy                  = data.aws_iam_policy_document.key["us_east_1"].json
}

resource "aws_kms_alias" "us_east_1" {
  provider = aws.us_east_1

  name          = "alias/${var.name}-notifications-us-east-1"
  target_key_id = aws_kms_key.us_east_1.key_id
}
