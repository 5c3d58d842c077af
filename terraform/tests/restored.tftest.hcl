# A restored instance beside the one that Terraform has made: managed alike, and what follows the database follows it.

mock_provider "aws" {
  mock_data "aws_secretsmanager_random_password" {
    defaults = { random_password = "0123456789abcdef0123456789abcdef" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

mock_provider "aws" {
  alias = "backup_copy"
}

variables {
  name               = "lyo-test"
  vpc_id             = "vpc-0123456789abcdef0"
  subnet_ids         = ["subnet-a", "subnet-b"]
  security_group_ids = ["sg-a"]
  notifications      = { topic_arn = "arn:aws:sns:eu-south-1:123456789012:lyo-test-warning" }
}

run "beside_the_first" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    instances = { first = "lyo-test", lyo-test-r20261127101500 = "lyo-test-r20261127101500" }
    serving   = "lyo-test-r20261127101500"
  }

  assert {
    condition     = tomap({ for key, one in aws_db_instance.this : key => one.identifier }) == var.instances
    error_message = "Both instances are managed under their own names."
  }
  assert {
    condition     = output.postgres.identifier == "lyo-test-r20261127101500" && aws_db_event_subscription.this[0].source_ids == toset(["lyo-test-r20261127101500"])
    error_message = "What the runbooks and the events are about is the one that serves."
  }
  assert {
    condition     = toset([for group in aws_cloudwatch_log_group.postgres : group.name]) == toset(["/aws/rds/instance/lyo-test/postgresql", "/aws/rds/instance/lyo-test/upgrade", "/aws/rds/instance/lyo-test-r20261127101500/postgresql", "/aws/rds/instance/lyo-test-r20261127101500/upgrade"])
    error_message = "Each instance has log groups of its own."
  }
}
