# Logical backups. Object lock is on, without a default retention: who completes a backup locks its
# objects, so that parts of one that was interrupted can be removed.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html

locals {
  copies           = var.backups.copy ? 1 : 0
  bucket_name      = "${var.name}-backups-${var.account_id}"
  copy_bucket_name = "${var.name}-backups-copy-${var.account_id}"
}

resource "aws_s3_bucket" "backups" {
  #checkov:skip=CKV_AWS_18:S3 access logs of a bucket that one task writes to tell less than CloudTrail does
  #checkov:skip=CKV_AWS_144:the program copies each backup itself and compares its hashes there, which replication does not
  #checkov:skip=CKV2_AWS_62:nobody acts on a single part; the manifest is written last and alarms watch its age
  bucket              = local.bucket_name
  object_lock_enabled = true
  force_destroy       = var.backups.force_destroy
}

resource "aws_s3_bucket_public_access_block" "backups" {
  bucket                  = aws_s3_bucket.backups.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "backups" {
  bucket = aws_s3_bucket.backups.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "backups" {
  bucket = aws_s3_bucket.backups.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "backups" {
  bucket = aws_s3_bucket.backups.id

  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

# What retention has deleted is a noncurrent version first; a locked one stays until its lock is over.
resource "aws_s3_bucket_lifecycle_configuration" "backups" {
  bucket = aws_s3_bucket.backups.id

  rule {
    id     = "tidy"
    status = "Enabled"
    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
    noncurrent_version_expiration {
      noncurrent_days = var.backups.noncurrent_days
    }
    expiration {
      expired_object_delete_marker = true
    }
  }

  depends_on = [aws_s3_bucket_versioning.backups]
}

data "aws_iam_policy_document" "tls_only" {
  for_each = { backups = aws_s3_bucket.backups.arn, copy = "arn:aws:s3:::${local.copy_bucket_name}" }

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [each.value, "${each.value}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "backups" {
  bucket = aws_s3_bucket.backups.id
  policy = data.aws_iam_policy_document.tls_only["backups"].json

  depends_on = [aws_s3_bucket_public_access_block.backups]
}
