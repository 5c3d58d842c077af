resource "aws_cloudwatch_log_group" "application" {
  name              = "/${var.name}/application"
  retention_in_days = var.service.log_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_ecs_cluster" "this" {
  #checkov:skip=CKV_AWS_65:on, unless service.insights says otherwise; the check does not follow the variable
  name = var.name

  setting {
    name  = "containerInsights"
    value = var.service.insights
  }
}

# A service cannot be made without a task definition. This one has no image and cannot start: the first
# release brings a task definition of the family var.name. Until then ECS tries now and then, in vain and
# for nothing: registering the scalable target raises the desired count to its minimum.
resource "aws_ecs_task_definition" "bootstrap" {
  family                   = "${var.name}-bootstrap"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  container_definitions = jsonencode([{
    name      = var.service.container_name
    image     = "${aws_ecr_repository.this.repository_url}:never-started"
    essential = true
    portMappings = [{
      containerPort = var.service.container_port
      hostPort      = var.service.container_port
      protocol      = "tcp"
    }]
  }])
}

resource "aws_ecs_service" "this" {
  name            = var.name
  cluster         = aws_ecs_cluster.this.arn
  task_definition = aws_ecs_task_definition.bootstrap.arn
  desired_count   = 0
  launch_type     = "FARGATE"

  enable_execute_command        = var.service.execute_command
  enable_ecs_managed_tags       = true
  propagate_tags                = "SERVICE"
  availability_zone_rebalancing = "ENABLED"

  # A task that starts slowly but well must not be stopped for it.
  health_check_grace_period_seconds = var.service.grace_seconds

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.private_subnet_ids
    security_groups  = [var.security_group_ids.application]
    assign_public_ip = false
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.this["blue"].arn
    container_name   = var.service.container_name
    container_port   = var.service.container_port
  }

  lifecycle {
    # A release's, Application Auto Scaling's (desired_count) and ECS's own: see terraform/README.md.
    ignore_changes = [
      task_definition,
      desired_count,
      load_balancer,
      deployment_circuit_breaker,
      deployment_controller,
      deployment_maximum_percent,
      deployment_minimum_healthy_percent,
      alarms,
    ]
  }

  # A target group must be in a listener before a service can use it.
  depends_on = [aws_lb_listener_rule.traffic, aws_iam_role_policy.execution]
}
