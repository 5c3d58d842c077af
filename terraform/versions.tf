terraform {
  # scripts/setup-terraform reads this range when it looks for a Terraform that fits.
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }

  # Bucket and region come from <env>.s3.tfbackend. The lock is an object beside the state, so no
  # table is needed: https://developer.hashicorp.com/terraform/language/backend/s3
  backend "s3" {
    key          = "lyo.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}
