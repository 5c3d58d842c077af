output "postgres" {
  description = "How to reach the database that serves: identifier, arn, resource_id, instance_class, storage_gb (at first), host, port, name, username and the ARN of the secret that RDS manages (JSON with username and password)."
  value = {
    identifier     = local.serving.identifier
    arn            = local.serving.arn
    resource_id    = local.serving.resource_id
    instance_class = local.serving.instance_class
    storage_gb     = var.postgres.storage_gb
    host           = local.serving.address
    port           = local.serving.port
    name           = var.postgres.database_name
    username       = local.serving.username
    secret_arn     = local.serving.master_user_secret[0].secret_arn
  }
}

output "cache" {
  description = "How to reach the cache: replication_group_id, nodes, host, port, url (without the token) and the ARN of the secret that holds the AUTH token."
  value = {
    replication_group_id = aws_elasticache_replication_group.this.id
    nodes                = var.cache.nodes
    host                 = aws_elasticache_replication_group.this.primary_endpoint_address
    port                 = aws_elasticache_replication_group.this.port
    url = format("%s://%s:%d/0",
      var.cache.transit_encryption ? "rediss" : "redis",
      aws_elasticache_replication_group.this.primary_endpoint_address,
      aws_elasticache_replication_group.this.port,
    )
    auth_secret_arn = aws_secretsmanager_secret.cache_auth_token.arn
  }
}

output "subnet_group_name" {
  description = "Name of the database's subnet group; a restored instance must be given it."
  value       = aws_db_subnet_group.this.name
}

output "parameter_group_name" {
  description = "Name of the database's parameter group; a restored instance must be given it."
  value       = aws_db_parameter_group.this.name
}

output "backup" {
  description = "AWS Backup of the database: vault_name, vault_arn, copy_vault_arn, plan_id, role_arn; each null where it is off."
  value = {
    vault_name     = one(aws_backup_vault.this[*].name)
    vault_arn      = one(aws_backup_vault.this[*].arn)
    copy_vault_arn = one(aws_backup_vault.copy[*].arn)
    plan_id        = one(aws_backup_plan.this[*].id)
    role_arn       = one(aws_iam_role.backup[*].arn)
  }
}
