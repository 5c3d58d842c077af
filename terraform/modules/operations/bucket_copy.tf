# The copies in another region: what takes the whole region away leaves them.

resource "aws_s3_bucket" "copy" {
  #checkov:skip=CKV_AWS_18:S3 access logs of a bucket that one task writes to tell less than CloudTrail does
  #checkov:skip=CKV_AWS_144:this is the copy in another region already
  #checkov:skip=CKV2_AWS_62:nobody acts on a single part; the manifest is written last and alarms watch its age
  provider = aws.backup_copy
  count    = local.copies

  bucket              = local.copy_bucket_name
  object_lock_enabled = true
  force_destroy       = var.backups.force_destroy
}

resource "aws_s3_bucket_public_access_block" "copy" {
  provider = aws.backup_copy
  count    = local.copies

  bucket                  = aws_s3_bucket.copy[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "copy" {
  provider = aws.backup_copy
  count    = local.copies

  bucket = aws_s3_bucket.copy[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "copy" {
  provider = aws.backup_copy
  count    = local.copies

  bucket = aws_s3_bucket.copy[0].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "copy" {
  provider = aws.backup_copy
  count    = local.copies

  bucket = aws_s3_bucket.copy[0].id

  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.backups.copy_kms_key_arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "copy" {
  provider = aws.backup_copy
  count    = local.copies

  bucket = aws_s3_bucket.copy[0].id

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

  depends_on = [aws_s3_bucket_versioning.copy]
}

resource "aws_s3_bucket_policy" "copy" {
  provider = aws.backup_copy
  count    = local.copies

  bucket = aws_s3_bucket.copy[0].id
  policy = data.aws_iam_policy_document.tls_only["copy"].json

  depends_on = [aws_s3_bucket_public_access_block.copy]
}
