data "aws_iam_policy_document" "tasks_assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }
}

# What ECS needs to start a task: pull this image, read these secrets, write this log.
resource "aws_iam_role" "execution" {
  name               = "${var.name}-ops-execution"
  description        = "ECS starts ops tasks of ${var.name}: image, secrets, log"
  assume_role_policy = data.aws_iam_policy_document.tasks_assume.json
}

data "aws_iam_policy_document" "execution" {
  statement {
    sid       = "Login"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }
  statement {
    sid       = "Pull"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = [aws_ecr_repository.this.arn]
  }
  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }
  statement {
    sid       = "Secrets"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = var.secret_arns
  }
  # A scratch or restored instance has a password of its own, made by RDS when it is created.
  # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html
  statement {
    sid       = "SecretsOfRestored"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = ["arn:aws:secretsmanager:${var.region}:${var.account_id}:secret:rds!db-*"]
    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/aws:rds:primaryDBInstanceArn"
      values   = ["arn:aws:rds:${var.region}:${var.account_id}:db:${var.name}", "arn:aws:rds:${var.region}:${var.account_id}:db:${var.name}-*"]
    }
  }
  dynamic "statement" {
    for_each = local.keys
    content {
      sid       = "Decrypt"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role_policy" "execution" {
  name   = "start-tasks"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}

# What the ops program may do on AWS: its two buckets, and nothing else. It never lifts a lock.
resource "aws_iam_role" "task" {
  name               = "${var.name}-ops-task"
  description        = "Backup and restore of the database of ${var.name}: its buckets only"
  assume_role_policy = data.aws_iam_policy_document.tasks_assume.json
}

locals {
  keys      = var.kms_key_arn == null ? [] : [var.kms_key_arn]
  copy_keys = var.backups.copy_kms_key_arn == null ? [] : [var.backups.copy_kms_key_arn]
  buckets   = concat([aws_s3_bucket.backups.arn], aws_s3_bucket.copy[*].arn)
}

data "aws_iam_policy_document" "task" {
  statement {
    sid       = "Look"
    actions   = ["s3:GetBucketLocation", "s3:GetBucketObjectLockConfiguration", "s3:GetBucketVersioning", "s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:ListBucketVersions"]
    resources = local.buckets
  }
  statement {
    sid = "Keep"
    actions = [
      "s3:AbortMultipartUpload",
      "s3:DeleteObject",
      "s3:DeleteObjectVersion",
      "s3:GetObject",
      "s3:GetObjectRetention",
      "s3:GetObjectVersion",
      "s3:ListMultipartUploadParts",
      "s3:PutObject",
      "s3:PutObjectRetention",
    ]
    resources = [for arn in local.buckets : "${arn}/*"]
  }
  dynamic "statement" {
    for_each = length(concat(local.keys, local.copy_keys)) > 0 ? [1] : []
    content {
      sid       = "Encrypt"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = concat(local.keys, local.copy_keys)
    }
  }
}

resource "aws_iam_role_policy" "task" {
  name   = "backups"
  role   = aws_iam_role.task.id
  policy = data.aws_iam_policy_document.task.json
}
