# Credentials, and in the local cloud the endpoint, come from the environment (AWS_PROFILE,
# AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, …): nothing here can point an environment somewhere else.
provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]
  max_retries         = var.provider_settings.max_retries
  s3_use_path_style   = var.provider_settings.s3_use_path_style

  default_tags {
    tags = local.tags
  }
}

# CloudFront takes certificates from us-east-1 only, and Route 53 puts the metrics of its health
# checks there: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cnames-and-https-requirements.html
provider "aws" {
  alias               = "us_east_1"
  region              = "us-east-1"
  allowed_account_ids = [var.account_id]
  max_retries         = var.provider_settings.max_retries
  s3_use_path_style   = var.provider_settings.s3_use_path_style

  default_tags {
    tags = local.tags
  }
}

# Where the copies of the backups go: what takes the whole region away leaves them.
provider "aws" {
  alias               = "backup_copy"
  region              = var.backup_copy_region
  allowed_account_ids = [var.account_id]
  max_retries         = var.provider_settings.max_retries
  s3_use_path_style   = var.provider_settings.s3_use_path_style

  default_tags {
    tags = local.tags
  }
}
