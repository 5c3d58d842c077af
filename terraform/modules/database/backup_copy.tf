# The copies in another region. They are encrypted anew by the key of the vault they arrive in:
# https://docs.aws.amazon.com/aws-backup/latest/devguide/encryption.html

data "aws_caller_identity" "current" {
  count = local.copies
}

data "aws_iam_policy_document" "copy_key" {
  #checkov:skip=CKV_AWS_109:A key policy's resource is its own key; the account's IAM policies decide who may use it
  #checkov:skip=CKV_AWS_111:A key policy's resource is its own key; the account's IAM policies decide who may use it
  #checkov:skip=CKV_AWS_356:A key policy's resource is its own key
  count = local.copies

  statement {
    sid       = "AccountDecides"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${data.aws_caller_identity.current[0].account_id}:root"]
    }
  }
}

resource "aws_kms_key" "copy" {
  provider = aws.backup_copy
  count    = var.backup.copy.kms_key_arn == null ? local.copies : 0

  description             = "Copies of the backups of ${var.name}"
  policy                  = data.aws_iam_policy_document.copy_key[0].json
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_kms_alias" "copy" {
  provider = aws.backup_copy
  count    = var.backup.copy.kms_key_arn == null ? local.copies : 0

  name          = "alias/${var.name}-backup-copy"
  target_key_id = aws_kms_key.copy[0].key_id
}

resource "aws_backup_vault" "copy" {
  provider = aws.backup_copy
  count    = local.copies

  name        = "${var.name}-copy"
  kms_key_arn = coalesce(var.backup.copy.kms_key_arn, one(aws_kms_key.copy[*].arn))
}

resource "aws_backup_vault_lock_configuration" "copy" {
  provider = aws.backup_copy
  count    = local.copy_locks

  backup_vault_name  = aws_backup_vault.copy[0].name
  min_retention_days = var.backup.lock.min_days
}

resource "aws_backup_vault_policy" "copy" {
  provider = aws.backup_copy
  count    = local.copies

  backup_vault_name = aws_backup_vault.copy[0].name
  policy            = data.aws_iam_policy_document.keep_recovery_points[0].json
}
