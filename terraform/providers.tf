# Credentials, and in the local cloud the endpoint, come from the environment (AWS_PROFILE,
# AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, …): nothing here can point an environment somewhere else.
provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]
  max_retries         = var.provider_settings.max_retries
  s3_use_path_style   = var.provider_settings.s3_use_path_style

  default_tags {
    tags = merge(var.tags, {
      Project     = "lyo"
      Environment = var.environment
      ManagedBy   = "terraform"
    })
  }
}
