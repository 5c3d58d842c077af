# The ops image: this repository with its locked dependencies, and PostgreSQL's own tools.
resource "aws_ecr_repository" "this" {
  name                 = "${var.name}-ops"
  image_tag_mutability = "IMMUTABLE"
  force_delete         = var.registry.force_delete

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = var.kms_key_arn == null ? "AES256" : "KMS"
    kms_key         = var.kms_key_arn
  }
}

# Nothing is rolled back to an older ops image: the newest ones are enough.
resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name
  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "Untagged images go"
        selection = {
          tagStatus   = "untagged"
          countType   = "sinceImagePushed"
          countUnit   = "days"
          countNumber = 1
        }
        action = { type = "expire" }
      },
      {
        rulePriority = 2
        description  = "The newest stay"
        selection = {
          tagStatus   = "any"
          countType   = "imageCountMoreThan"
          countNumber = var.registry.keep_images
        }
        action = { type = "expire" }
      },
    ]
  })
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:what a runbook decided is in the ledger; its lines are wanted for weeks, not for a year
  name              = "/${var.name}/operations"
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key_arn
}
