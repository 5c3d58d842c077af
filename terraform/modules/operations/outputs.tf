output "repository" {
  description = "Registry of the ops image: name and url."
  value = {
    name = aws_ecr_repository.this.name
    url  = aws_ecr_repository.this.repository_url
  }
}

output "role_arns" {
  description = "Roles of ops tasks: execution (ECS starts them), task (the ops program), runner (runbooks)."
  value = {
    execution = aws_iam_role.execution.arn
    task      = aws_iam_role.task.arn
    runner    = aws_iam_role.runner.arn
  }
}

output "log_group" {
  description = "Log group of ops tasks."
  value       = aws_cloudwatch_log_group.this.name
}

output "backups" {
  description = "Where logical backups go: bucket, copy_bucket (null without copies), and the days that a completed backup is locked."
  value = {
    bucket      = aws_s3_bucket.backups.bucket
    copy_bucket = one(aws_s3_bucket.copy[*].bucket)
    lock_days   = var.backups.lock_days
  }
}

output "schedules" {
  description = "The schedules: group, queue of starts that failed, who runs them, and hours after which each that did not run is told."
  value = {
    group        = aws_scheduler_schedule_group.this.name
    queue_name   = aws_sqs_queue.not_started.name
    run_by       = var.schedules.run_by
    missed_hours = { for runbook, schedule in local.schedules : runbook => schedule.missed_hours }
  }
}
