# What the module makes of its variables, beyond copying them.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::lyo-test-backups" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/lyo-test" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-south-1:123456789012:lyo-test" }
  }
}

mock_provider "aws" {
  alias = "backup_copy"
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::lyo-test-backups-copy" }
  }
}

variables {
  name               = "lyo-test"
  region             = "eu-south-1"
  account_id         = "123456789012"
  cluster_name       = "lyo-test"
  subnet_ids         = ["subnet-a", "subnet-b"]
  security_group_ids = ["sg-a"]
  secret_arns        = ["arn:aws:secretsmanager:eu-south-1:123456789012:secret:rds!db-1"]
  topic_arns         = { warning = "arn:aws:sns:eu-south-1:123456789012:lyo-test-warning" }
}

run "by_default" {
  module {
    source = "./modules/operations"
  }

  assert {
    condition     = aws_s3_bucket.backups.object_lock_enabled && aws_s3_bucket.copy[0].object_lock_enabled
    error_message = "Object lock can be turned on when a bucket is made."
  }
  assert {
    condition     = aws_s3_bucket_versioning.backups.versioning_configuration[0].status == "Enabled" && aws_s3_bucket_versioning.copy[0].versioning_configuration[0].status == "Enabled"
    error_message = "Object lock needs versions."
  }
  assert {
    condition     = !aws_s3_bucket.backups.force_destroy && !aws_ecr_repository.this.force_delete
    error_message = "Nothing that holds something goes by itself."
  }
  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.this : schedule.state == "DISABLED"])
    error_message = "Before there is an ops image, no schedule may start one."
  }
  assert {
    condition     = { for name, schedule in aws_scheduler_schedule.this : name => jsondecode(schedule.target[0].input).containerOverrides[0].command } == { backup = ["backup.yml"], drift = ["drift.yml"], drill = ["drill.yml"] }
    error_message = "Each schedule starts its runbook."
  }
  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.this : endswith(schedule.target[0].ecs_parameters[0].task_definition_arn, ":task-definition/lyo-test-ops")])
    error_message = "Without a revision, the newest one is started: ops_image.yml registers them."
  }
}

run "started_by_eventbridge_and_without_a_copy" {
  module {
    source = "./modules/operations"
  }

  variables {
    backups   = { copy = false }
    schedules = { run_by = "eventbridge", flexible_minutes = 15 }
  }

  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.this : schedule.state == "ENABLED" && schedule.flexible_time_window[0].maximum_window_in_minutes == 15])
    error_message = "EventBridge starts the runbooks, within the window."
  }
  assert {
    condition     = length(aws_s3_bucket.copy) == 0 && output.backups.copy_bucket == null
    error_message = "Without copies there is no second bucket."
  }
}

run "started_by_systemd" {
  command = plan
  module {
    source = "./modules/operations"
  }

  variables {
    schedules = { run_by = "systemd" }
  }

  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.this : schedule.state == "DISABLED"])
    error_message = "What timers start, EventBridge must not start as well."
  }
}
