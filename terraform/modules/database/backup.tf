# What outlives the instance and its region. RDS's own automated backups already reach any second of
# the last days; a continuous rule here would take their window and retention away from the instance
# (two owners of one attribute), and its copies would be plain snapshots anyway:
# https://docs.aws.amazon.com/aws-backup/latest/devguide/point-in-time-recovery.html
# AWS Backup knows no ElastiCache: the cache keeps its own snapshots.

locals {
  backups     = var.backup.enabled ? 1 : 0
  copies      = var.backup.enabled && var.backup.copy.enabled ? 1 : 0
  vault_locks = var.backup.enabled && var.backup.lock.enabled ? 1 : 0
  copy_locks  = local.copies * local.vault_locks

  # One rule each for what is wanted soon and for what is wanted late.
  backup_rules = {
    daily   = { schedule = var.backup.daily.schedule, days = var.backup.daily.keep_days }
    monthly = { schedule = var.backup.monthly.schedule, days = var.backup.monthly.keep_days }
  }
}

# A recovery point of RDS is encrypted by its instance's key, in every vault of the region: a key of
# the vault's own would cost a dollar a month and encrypt nothing.
resource "aws_backup_vault" "this" {
  count = local.backups

  name        = var.name
  kms_key_arn = var.kms_key_arn
}

# Governance mode: no changeable_for_days. Nobody deletes before the time is over without first
# taking the lock off, which is a call of its own that leaves a trace.
resource "aws_backup_vault_lock_configuration" "this" {
  count = local.vault_locks

  backup_vault_name  = aws_backup_vault.this[0].name
  min_retention_days = var.backup.lock.min_days
}

resource "aws_backup_vault_policy" "this" {
  count = local.backups

  backup_vault_name = aws_backup_vault.this[0].name
  policy            = data.aws_iam_policy_document.keep_recovery_points[0].json
}

# AWS Backup itself still deletes what is past its time: a vault's policy binds callers only.
# https://docs.aws.amazon.com/aws-backup/latest/devguide/create-a-vault-access-policy.html
data "aws_iam_policy_document" "keep_recovery_points" {
  count = local.backups

  statement {
    sid       = "KeepRecoveryPoints"
    effect    = "Deny"
    actions   = ["backup:DeleteRecoveryPoint", "backup:UpdateRecoveryPointLifecycle"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
    dynamic "condition" {
      for_each = length(var.backup.may_delete_arns) > 0 ? [1] : []
      content {
        test     = "ArnNotLike"
        variable = "aws:PrincipalArn"
        values   = var.backup.may_delete_arns
      }
    }
  }
}

# Successes are not told: a backup that is missing is an alarm on the vault's metrics.
resource "aws_backup_vault_notifications" "this" {
  count = var.backup.enabled && var.notifications != null ? 1 : 0

  backup_vault_name   = aws_backup_vault.this[0].name
  sns_topic_arn       = var.notifications.topic_arn
  backup_vault_events = var.backup.notify_events
}

resource "aws_backup_plan" "this" {
  count = local.backups

  name = var.name

  dynamic "rule" {
    for_each = local.backup_rules
    content {
      rule_name         = rule.key
      target_vault_name = aws_backup_vault.this[0].name
      schedule          = rule.value.schedule
      start_window      = 60
      completion_window = 480

      lifecycle {
        delete_after = rule.value.days
      }

      dynamic "copy_action" {
        for_each = aws_backup_vault.copy
        content {
          destination_vault_arn = copy_action.value.arn

          lifecycle {
            delete_after = rule.value.days
          }
        }
      }
    }
  }
}

resource "aws_backup_selection" "this" {
  count = local.backups

  name         = "${var.name}-database"
  plan_id      = aws_backup_plan.this[0].id
  iam_role_arn = aws_iam_role.backup[0].arn
  # By its ARN, an RDS instance is backed up whatever the account's opt-in for RDS says.
  resources = [local.serving.arn]

  # The selection is checked against the role's permissions when it is made.
  depends_on = [aws_iam_role_policy_attachment.backup]
}

data "aws_iam_policy_document" "backup_assume" {
  count = local.backups

  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["backup.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "backup" {
  count = local.backups

  name               = "${var.name}-backup"
  description        = "AWS Backup takes and copies backups, and restores nothing"
  assume_role_policy = data.aws_iam_policy_document.backup_assume[0].json
}

resource "aws_iam_role_policy_attachment" "backup" {
  count = local.backups

  role       = aws_iam_role.backup[0].name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup"
}
