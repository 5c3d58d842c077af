locals {
  # Everything that the runbooks know about the infrastructure, and nothing secret.
  runbooks = {
    environment                  = var.environment
    region                       = var.region
    account_id                   = var.account_id
    cluster_name                 = module.application.cluster_name
    service_name                 = module.application.service.name
    task_family                  = module.application.service.task_family
    container_name               = module.application.service.container_name
    container_port               = module.application.service.container_port
    cpu                          = module.application.service.cpu
    memory                       = module.application.service.memory
    repository_name              = module.application.repository.name
    repository_url               = module.application.repository.url
    log_group                    = module.application.service.log_group
    subnet_ids                   = module.application.service.subnet_ids
    app_security_group_ids       = module.application.service.security_group_ids
    execution_role_arn           = module.application.service.execution_role_arn
    task_role_arn                = module.application.service.task_role_arn
    ecs_infrastructure_role_arn  = module.application.service.infrastructure_role_arn
    load_balancer_arn            = module.application.load_balancer.arn
    load_balancer_dns_name       = module.application.load_balancer.dns_name
    target_group_arns            = module.application.load_balancer.target_group_arns
    production_listener_rule_arn = module.application.load_balancer.production_listener_rule_arn
    test_listener_rule_arn       = module.application.load_balancer.test_listener_rule_arn
    api_url                      = module.dns.urls.api
    test_url                     = module.dns.urls.test
    dashboard_url                = module.dns.urls.dashboard
    dashboard_bucket             = module.dns.dashboard.bucket
    distribution_id              = module.dns.dashboard.distribution_id
    zone_id                      = module.dns.zone_id
    health_check_id              = module.dns.health_check_id
    database = {
      for key in ["identifier", "host", "port", "name", "username", "secret_arn"] : key => module.database.postgres[key]
    }
    cache = {
      url             = module.database.cache.url
      auth_secret_arn = module.database.cache.auth_secret_arn
    }
    whatsapp_secret_arn = module.application.whatsapp_secret_arn
    topic_arns          = { for key in ["critical", "warning"] : key => module.monitoring.topic_arns[key] }
    alarms              = { release = module.monitoring.release_alarm_names }
    operations = {
      repository_name    = module.operations.repository.name
      repository_url     = module.operations.repository.url
      execution_role_arn = module.operations.role_arns.execution
      task_role_arn      = module.operations.role_arns.task
      runner_role_arn    = module.operations.role_arns.runner
      log_group          = module.operations.log_group
      bucket             = module.operations.backups.bucket
      copy_bucket        = module.operations.backups.copy_bucket
      copy_region        = var.backup_copy_region
      kms_key_arn        = var.kms_key_arn
      lock_days          = module.operations.backups.lock_days
    }
    autoscaling = {
      min = module.application.service.autoscaling_min
      max = module.application.service.autoscaling_max
    }
  }
}

# The contract between Terraform and the runbooks, which need no Terraform and no state to read it.
resource "aws_ssm_parameter" "outputs" {
  #checkov:skip=CKV2_AWS_34:nothing in it is secret, which a test checks; the runbooks read it without a key
  name        = "/lyo/${var.environment}/outputs"
  description = "What the runbooks know about the infrastructure of ${local.name}"
  type        = "String"
  value       = jsonencode(local.runbooks)

  lifecycle {
    precondition {
      condition     = length(jsonencode(local.runbooks)) <= 4096
      error_message = "The outputs no longer fit a standard parameter (4 KB): shorten them, or make the parameter's tier Advanced."
    }
  }
}

output "runbooks" {
  description = "What the runbooks know about the infrastructure; the same as the SSM parameter outputs_parameter."
  value       = local.runbooks
}

output "outputs_parameter" {
  description = "Name of the SSM parameter that the runbooks read."
  value       = aws_ssm_parameter.outputs.name
}

output "api_url" {
  description = "Where the API is reached from outside."
  value       = module.dns.urls.api
}

output "test_url" {
  description = "Where an unreleased version is reached, through the test listener."
  value       = module.dns.urls.test
}

output "dashboard_url" {
  description = "Where the dashboard is reached from outside."
  value       = module.dns.urls.dashboard
}

output "backup" {
  description = "AWS Backup of the database: vault_name, vault_arn, copy_vault_arn, plan_id, role_arn; each null where it is off."
  value       = module.database.backup
}

output "nat_public_ips" {
  description = "Public addresses that the application's outgoing traffic comes from."
  value       = module.vpc.nat_public_ips
}

output "hosted_zone_id" {
  description = "The Route 53 zone of the domain's records."
  value       = module.dns.zone_id
}

output "name_servers" {
  description = "Name servers of that zone, to which whoever serves the parent domain delegates."
  value       = module.dns.name_servers
}
