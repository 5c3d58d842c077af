# The role of runbooks that run inside the network: by a schedule, or started by hand. It reads
# everything (drift.yml refreshes the whole configuration) and writes what backup.yml, drill.yml and
# the lock write.
resource "aws_iam_role" "runner" {
  name               = "${var.name}-ops-runner"
  description        = "Runbooks of ${var.name} in the ops image"
  assume_role_policy = data.aws_iam_policy_document.tasks_assume.json
}

resource "aws_iam_role_policy_attachment" "runner_reads" {
  role       = aws_iam_role.runner.name
  policy_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
}

locals {
  here         = "${var.region}:${var.account_id}"
  state_bucket = "arn:aws:s3:::${var.name}-${var.account_id}-tfstate"
}

data "aws_iam_policy_document" "runner" {
  #checkov:skip=CKV_AWS_111:PutMetricData and RegisterTaskDefinition know no resources; a condition and PassRole hold them
  #checkov:skip=CKV_AWS_356:PutMetricData and RegisterTaskDefinition know no resources; a condition and PassRole hold them

  # The Terraform state for drift.yml, the lock and the ledger.
  statement {
    sid       = "StateAndLedger"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject"]
    resources = [local.state_bucket, "${local.state_bucket}/*"]
  }
  # Retention of logical backups; without s3:BypassGovernanceRetention a lock holds against it too.
  statement {
    sid       = "Retention"
    actions   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:DeleteObjectVersion"]
    resources = [for arn in local.buckets : "${arn}/*"]
  }
  statement {
    sid = "Tasks"
    actions = [
      "ecs:RunTask",
      "ecs:StopTask",
      "ecs:TagResource",
    ]
    resources = [
      "arn:aws:ecs:${local.here}:task-definition/${var.name}*",
      "arn:aws:ecs:${local.here}:task/${var.cluster_name}/*",
    ]
  }
  statement {
    sid       = "TaskDefinitions"
    actions   = ["ecs:DeregisterTaskDefinition", "ecs:RegisterTaskDefinition"]
    resources = ["*"]
  }
  statement {
    sid     = "RolesOfTasks"
    actions = ["iam:PassRole"]
    # The application's own too: a restored database is tried with its image.
    resources = concat(
      [aws_iam_role.execution.arn, aws_iam_role.task.arn],
      [for role in ["execution", "task"] : "arn:aws:iam::${var.account_id}:role/${var.name}-${role}"],
    )
    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }
  # Only instances that a backup or a drill has made are changed or deleted, never one that serves.
  statement {
    sid = "ScratchInstances"
    actions = [
      "rds:AddTagsToResource",
      "rds:CreateDBInstance",
      "rds:DeleteDBInstance",
      "rds:ModifyDBInstance",
      "rds:RestoreDBInstanceFromDBSnapshot",
      "rds:RestoreDBInstanceToPointInTime",
    ]
    resources = [for kind in ["drill", "scratch"] : "arn:aws:rds:${local.here}:db:${var.name}-${kind}-*"]
  }
  statement {
    sid       = "Snapshots"
    actions   = ["rds:AddTagsToResource", "rds:CreateDBSnapshot", "rds:DeleteDBSnapshot"]
    resources = ["arn:aws:rds:${local.here}:snapshot:${var.name}-*"]
  }
  # These calls name what they are made of beside what they make.
  statement {
    sid     = "FromWhatServes"
    actions = ["rds:CreateDBInstance", "rds:CreateDBSnapshot", "rds:RestoreDBInstanceFromDBSnapshot", "rds:RestoreDBInstanceToPointInTime"]
    resources = [
      "arn:aws:rds:${local.here}:auto-backup:*",
      "arn:aws:rds:${local.here}:db:${var.name}",
      "arn:aws:rds:${local.here}:db:${var.name}-*",
      "arn:aws:rds:${local.here}:og:*",
      "arn:aws:rds:${local.here}:pg:${var.name}-*",
      "arn:aws:rds:${local.here}:snapshot:${var.name}-*",
      "arn:aws:rds:${local.here}:snapshot:rds:${var.name}-*",
      "arn:aws:rds:${local.here}:subgrp:${var.name}",
    ]
  }
  # RDS makes the password of a scratch instance with the caller's permissions.
  # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html
  statement {
    sid       = "ManagedPasswords"
    actions   = ["secretsmanager:CreateSecret", "secretsmanager:DeleteSecret", "secretsmanager:RotateSecret", "secretsmanager:TagResource"]
    resources = ["arn:aws:secretsmanager:${local.here}:secret:rds!db-*"]
  }
  statement {
    sid     = "CacheSnapshots"
    actions = ["elasticache:AddTagsToResource", "elasticache:CreateSnapshot", "elasticache:DeleteSnapshot"]
    resources = [
      "arn:aws:elasticache:${local.here}:cluster:${var.name}-*",
      "arn:aws:elasticache:${local.here}:replicationgroup:${var.name}",
      "arn:aws:elasticache:${local.here}:snapshot:${var.name}-*",
    ]
  }
  # drift.yml refreshes what the configuration says of its secrets.
  statement {
    sid       = "SecretsOfTheConfiguration"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = var.secret_arns
  }
  statement {
    sid       = "Metrics"
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"]
    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = ["Lyo/Backup", "Lyo/Operations"]
    }
  }
  statement {
    sid       = "Tell"
    actions   = ["sns:Publish"]
    resources = values(var.topic_arns)
  }
  dynamic "statement" {
    for_each = length(local.keys) > 0 ? [1] : []
    content {
      sid       = "Key"
      actions   = ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
      resources = local.keys
    }
  }
}

resource "aws_iam_role_policy" "runner" {
  name   = "runbooks"
  role   = aws_iam_role.runner.id
  policy = data.aws_iam_policy_document.runner.json
}
