output "cluster_name" {
  description = "Name of the ECS cluster."
  value       = aws_ecs_cluster.this.name
}

output "service" {
  description = "The ECS service and what a release needs for a task definition and a one-off task of it: names, family, sizes, network, roles, log group, bounds of its scaling, and whether Container Insights count its tasks."
  value = {
    name                    = aws_ecs_service.this.name
    task_family             = var.name
    container_name          = var.service.container_name
    container_port          = var.service.container_port
    cpu                     = var.service.cpu
    memory                  = var.service.memory
    subnet_ids              = var.private_subnet_ids
    security_group_ids      = [var.security_group_ids.application]
    execution_role_arn      = aws_iam_role.execution.arn
    task_role_arn           = aws_iam_role.task.arn
    infrastructure_role_arn = aws_iam_role.infrastructure.arn
    log_group               = aws_cloudwatch_log_group.application.name
    autoscaling_min         = aws_appautoscaling_target.service.min_capacity
    autoscaling_max         = aws_appautoscaling_target.service.max_capacity
    insights                = var.service.insights != "disabled"
  }
}

output "repository" {
  description = "The image registry: name and url."
  value = {
    name = aws_ecr_repository.this.name
    url  = aws_ecr_repository.this.repository_url
  }
}

output "load_balancer" {
  description = "The load balancer: arn, arn_suffix (its name in metrics), dns_name, zone_id, target group ARNs and their names in metrics by colour, and the ARNs of the production and test listener rules."
  value = {
    arn                          = aws_lb.this.arn
    arn_suffix                   = aws_lb.this.arn_suffix
    dns_name                     = aws_lb.this.dns_name
    zone_id                      = aws_lb.this.zone_id
    target_group_arns            = { for colour, group in aws_lb_target_group.this : colour => group.arn }
    target_group_arn_suffixes    = { for colour, group in aws_lb_target_group.this : colour => group.arn_suffix }
    production_listener_rule_arn = aws_lb_listener_rule.traffic["production"].arn
    test_listener_rule_arn       = aws_lb_listener_rule.traffic["test"].arn
  }
}

output "whatsapp_secret_arn" {
  description = "ARN of the secret for WhatsApp's tokens, whose value is not Terraform's."
  value       = aws_secretsmanager_secret.whatsapp.arn
}
