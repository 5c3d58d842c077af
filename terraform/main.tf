locals {
  name = "lyo-${var.environment}"
  tags = merge(var.tags, { Project = "lyo", Environment = var.environment, ManagedBy = "terraform" })
}

module "vpc" {
  source = "./modules/vpc"

  name                = local.name
  cidr                = var.network.cidr
  availability_zones  = [for zone in var.network.zones : "${var.region}${zone}"]
  nat_gateways        = var.network.nat_gateways
  interface_endpoints = var.network.interface_endpoints
  flow_logs           = var.network.flow_logs
  test_listener_cidrs = var.network.test_listener_cidrs
  ports               = { application = var.service.container_port, test_listener = var.load_balancer.test_port }
}

module "database" {
  source    = "./modules/database"
  providers = { aws = aws, aws.backup_copy = aws.backup_copy }

  name                 = local.name
  vpc_id               = module.vpc.vpc_id
  subnet_ids           = module.vpc.private_subnet_ids
  security_group_ids   = [module.vpc.security_group_ids.database]
  kms_key_arn          = var.kms_key_arn
  secret_recovery_days = var.secret_recovery_days
  postgres             = local.postgres
  instances            = local.database_instances
  serving              = local.database_key[local.database.serving]
  cache                = var.cache
  backup               = var.backup
  notifications        = { topic_arn = module.monitoring.topic_arns.warning }
}

module "application" {
  source = "./modules/application"

  name                 = local.name
  region               = var.region
  account_id           = var.account_id
  vpc_id               = module.vpc.vpc_id
  public_subnet_ids    = module.vpc.public_subnet_ids
  private_subnet_ids   = module.vpc.private_subnet_ids
  security_group_ids   = { web = module.vpc.security_group_ids.web, application = module.vpc.security_group_ids.application }
  secret_arns          = [module.database.postgres.secret_arn, module.database.cache.auth_secret_arn]
  kms_key_arn          = var.kms_key_arn
  secret_recovery_days = var.secret_recovery_days
  certificate_arn      = module.dns.certificate_arn
  public_https_port    = var.public_https_port
  load_balancer        = local.load_balancer
  health_check         = var.health_check
  service              = var.service
  scaling              = var.scaling
  registry             = local.registry
}

# Backups, the ops image and what runs by itself. Its tasks stand where the application's stand, and
# reach what those reach.
module "operations" {
  source    = "./modules/operations"
  providers = { aws = aws, aws.backup_copy = aws.backup_copy }

  name               = local.name
  region             = var.region
  account_id         = var.account_id
  cluster_name       = module.application.cluster_name
  subnet_ids         = module.vpc.private_subnet_ids
  security_group_ids = [module.vpc.security_group_ids.application]
  secret_arns        = [module.database.postgres.secret_arn, module.database.cache.auth_secret_arn, module.application.whatsapp_secret_arn]
  topic_arns         = { for topic in ["critical", "warning"] : topic => module.monitoring.topic_arns[topic] }
  kms_key_arn        = var.kms_key_arn
  registry           = { for name, value in local.registry : name => value if name == "force_delete" }
  log_days           = var.operations.log_days
  backups            = local.logical_backups
  schedules          = var.operations.schedules
}

# Names, certificates, and what CloudFront serves. The application's listeners take a certificate from
# here, and the records here lead to its load balancer: resources depend on each other, modules do not.
module "dns" {
  source    = "./modules/dns"
  providers = { aws = aws, aws.us_east_1 = aws.us_east_1 }

  name           = local.name
  account_id     = var.account_id
  domain         = var.domain
  hosted_zone_id = var.hosted_zone_id
  public_dns     = var.public_dns
  ports          = { https = var.public_https_port, test_listener = var.load_balancer.test_port }
  load_balancer  = { dns_name = module.application.load_balancer.dns_name, zone_id = module.application.load_balancer.zone_id }
  health_check   = merge(var.public_health_check, { path = var.health_check.path })
  dashboard      = local.dashboard
  topic_arns     = { warning = module.monitoring.topic_arns.warning, us_east_1 = module.monitoring.topic_arns.us_east_1 }
}

module "monitoring" {
  source    = "./modules/monitoring"
  providers = { aws = aws, aws.us_east_1 = aws.us_east_1 }

  name       = local.name
  region     = var.region
  account_id = var.account_id
  alerts     = var.alerts
  slo        = var.slo
  thresholds = var.thresholds
  budget     = var.budget

  load_balancer = {
    arn_suffix                = module.application.load_balancer.arn_suffix
    target_group_arn_suffixes = module.application.load_balancer.target_group_arn_suffixes
  }
  service = {
    cluster_name = module.application.cluster_name
    name         = module.application.service.name
    minimum      = module.application.service.autoscaling_min
    maximum      = module.application.service.autoscaling_max
    insights     = module.application.service.insights
  }
  database          = { for key in ["identifier", "instance_class", "storage_gb"] : key => module.database.postgres[key] }
  cache             = { for key in ["replication_group_id", "nodes"] : key => module.database.cache[key] }
  nat_gateway_ids   = module.vpc.nat_gateway_ids
  backup_vault_name = module.database.backup.vault_name
  backups           = { environment = var.environment }
  schedules         = module.operations.schedules
  web_acl_name      = module.security.web_acl.name
  other_alarm_arns  = concat(module.dns.alarm_arns, module.security.alarm_arns)
}

module "security" {
  source = "./modules/security"

  name              = local.name
  region            = var.region
  account_id        = var.account_id
  load_balancer_arn = module.application.load_balancer.arn
  kms_key_arn       = var.kms_key_arn
  topic_arns        = { for topic in ["critical", "warning"] : topic => module.monitoring.topic_arns[topic] }
  waf               = merge(var.waf, { health_path = coalesce(var.health_check.path, "/health") })
  guardduty         = var.guardduty
  account_findings  = var.account_findings
}
