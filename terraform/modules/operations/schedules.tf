# Runbooks that run by themselves: EventBridge Scheduler starts a task of the ops image.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/tasks-scheduled.html

locals {
  schedules = { for runbook in ["backup", "drift", "drill"] : runbook => var.schedules[runbook] }
  # Without a revision: the newest one, which ops_image.yml registers.
  task_definition = "arn:aws:ecs:${local.here}:task-definition/${var.name}-ops"
}

resource "aws_scheduler_schedule_group" "this" {
  name = var.name
}

resource "aws_scheduler_schedule" "this" {
  #checkov:skip=CKV_AWS_297:a schedule holds the name of a runbook; AWS's own key does for that
  for_each = local.schedules

  name        = each.key
  group_name  = aws_scheduler_schedule_group.this.name
  description = "${each.key}.yml of ${var.name}"
  state       = var.schedules.run_by == "eventbridge" ? "ENABLED" : "DISABLED"

  schedule_expression          = each.value.expression
  schedule_expression_timezone = var.schedules.timezone

  flexible_time_window {
    mode                      = var.schedules.flexible_minutes > 0 ? "FLEXIBLE" : "OFF"
    maximum_window_in_minutes = var.schedules.flexible_minutes > 0 ? var.schedules.flexible_minutes : null
  }

  target {
    arn      = "arn:aws:ecs:${local.here}:cluster/${var.cluster_name}"
    role_arn = aws_iam_role.scheduler.arn
    input = jsonencode({
      containerOverrides = [{ name = "ops", command = ["${each.key}.yml"] }]
    })

    ecs_parameters {
      task_definition_arn = local.task_definition
      launch_type         = "FARGATE"
      group               = "${var.name}-ops"
      propagate_tags      = "TASK_DEFINITION"

      network_configuration {
        subnets          = var.subnet_ids
        security_groups  = var.security_group_ids
        assign_public_ip = false
      }
    }

    # Starting is tried again for an hour; a start that failed for good is kept to be looked at.
    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 10
    }
    dead_letter_config {
      arn = aws_sqs_queue.not_started.arn
    }
  }

  # Scheduler tries the role when the schedule is made.
  depends_on = [aws_iam_role_policy.scheduler]
}

# Starts that failed for good: the event, and in its attributes why.
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
resource "aws_sqs_queue" "not_started" {
  #checkov:skip=CKV_AWS_27:encrypted with SQS's own key, so that Scheduler's role needs none of ours
  name                      = "${var.name}-schedules-not-started"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

data "aws_iam_policy_document" "scheduler_assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }
    # https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:aws:scheduler:${local.here}:schedule-group/${var.name}"]
    }
  }
}

resource "aws_iam_role" "scheduler" {
  name               = "${var.name}-scheduler"
  description        = "EventBridge Scheduler starts ops tasks of ${var.name}"
  assume_role_policy = data.aws_iam_policy_document.scheduler_assume.json
}

data "aws_iam_policy_document" "scheduler" {
  statement {
    sid       = "Start"
    actions   = ["ecs:RunTask"]
    resources = [local.task_definition, "${local.task_definition}:*"]
    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = ["arn:aws:ecs:${local.here}:cluster/${var.cluster_name}"]
    }
  }
  statement {
    sid       = "TagWhatItStarts"
    actions   = ["ecs:TagResource"]
    resources = ["arn:aws:ecs:${local.here}:task/${var.cluster_name}/*"]
    condition {
      test     = "StringEquals"
      variable = "ecs:CreateAction"
      values   = ["RunTask"]
    }
  }
  statement {
    sid       = "RolesOfTheTask"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.execution.arn, aws_iam_role.runner.arn]
    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }
  statement {
    sid       = "KeepWhatFailed"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.not_started.arn]
  }
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "start-tasks"
  role   = aws_iam_role.scheduler.id
  policy = data.aws_iam_policy_document.scheduler.json
}
