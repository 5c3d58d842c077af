locals {
  cache_major    = split(".", var.cache.engine_version)[0]
  cache_family   = "${var.cache.engine}${local.cache_major}"
  cache_failover = var.cache.nodes > 1
}

resource "aws_elasticache_subnet_group" "this" {
  name        = var.name
  description = "Private subnets of ${var.name}"
  subnet_ids  = var.subnet_ids
}

resource "aws_elasticache_parameter_group" "this" {
  name        = "${var.name}-${local.cache_family}"
  family      = local.cache_family
  description = "${var.cache.engine} ${local.cache_major} of ${var.name}"

  dynamic "parameter" {
    for_each = var.cache.parameters
    content {
      name  = parameter.key
      value = parameter.value
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_secretsmanager_secret" "cache_auth_token" {
  #checkov:skip=CKV2_AWS_57:the token must change in the cache as well: Terraform rotates it, see below
  name                    = "${var.name}/cache-auth-token"
  description             = "AUTH token of the cache of ${var.name}"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.secret_recovery_days
}

# Read anew by every plan, used once: the version below keeps its first value.
data "aws_secretsmanager_random_password" "cache_auth_token" {
  password_length     = 64
  exclude_punctuation = true
}

# The one secret in the state: the provider has no write-only auth_token, so a value that is in
# Secrets Manager only could not reach the cache. To rotate: apply with -replace=<this address>.
resource "aws_secretsmanager_secret_version" "cache_auth_token" {
  secret_id     = aws_secretsmanager_secret.cache_auth_token.id
  secret_string = data.aws_secretsmanager_random_password.cache_auth_token.random_password

  lifecycle {
    ignore_changes = [secret_string]
  }
}

resource "aws_elasticache_replication_group" "this" {
  replication_group_id = var.name
  description          = "Sessions and locks of ${var.name}"
  engine               = var.cache.engine
  engine_version       = var.cache.engine_version
  node_type            = var.cache.node_type
  port                 = var.cache.port

  num_cache_clusters         = var.cache.nodes
  automatic_failover_enabled = local.cache_failover
  multi_az_enabled           = local.cache_failover

  subnet_group_name    = aws_elasticache_subnet_group.this.name
  security_group_ids   = var.security_group_ids
  parameter_group_name = aws_elasticache_parameter_group.this.name

  at_rest_encryption_enabled = true
  kms_key_id                 = var.kms_key_arn
  transit_encryption_enabled = var.cache.transit_encryption
  auth_token                 = aws_secretsmanager_secret_version.cache_auth_token.secret_string
  # ROTATE keeps the old token valid until the next one is set, so running tasks stay connected.
  auth_token_update_strategy = "ROTATE"

  snapshot_retention_limit  = var.cache.snapshot_days
  snapshot_window           = var.cache.snapshot_window
  maintenance_window        = var.cache.maintenance_window
  final_snapshot_identifier = var.cache.final_snapshot == "" ? null : "${var.name}-${var.cache.final_snapshot}"

  auto_minor_version_upgrade = true
  apply_immediately          = var.cache.apply_immediately
}
