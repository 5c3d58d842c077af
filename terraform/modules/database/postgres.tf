locals {
  instances = length(var.instances) > 0 ? var.instances : { first = var.name }
  serving   = aws_db_instance.this[var.serving]

  postgres_major = split(".", var.postgres.engine_version)[0]

  # What an operator needs in a postmortem, and nothing that costs every query; the user's win.
  postgres_parameters = merge({
    "log_lock_waits"             = "1"
    "log_min_duration_statement" = "1000"
    "log_temp_files"             = "10240"
    # A transaction that somebody forgot holds locks and keeps vacuum from cleaning up; RDS waits a
    # day. Statements' time-outs are the application's and the migrations' own.
    "idle_in_transaction_session_timeout" = "300000"
  }, var.postgres.parameters, { "rds.force_ssl" = var.postgres.force_ssl ? "1" : "0" })
}

resource "aws_db_subnet_group" "this" {
  name        = var.name
  description = "Private subnets of ${var.name}"
  subnet_ids  = var.subnet_ids
}

resource "aws_db_parameter_group" "this" {
  # The family is part of the name: a new major version needs a group of its own beside the old one.
  name        = "${var.name}-postgres${local.postgres_major}"
  family      = "postgres${local.postgres_major}"
  description = "PostgreSQL ${local.postgres_major} of ${var.name}"

  dynamic "parameter" {
    for_each = local.postgres_parameters
    content {
      name  = parameter.key
      value = parameter.value
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

# RDS would make these groups itself, and keep what is in them for ever.
resource "aws_cloudwatch_log_group" "postgres" {
  for_each = merge([
    for key, identifier in local.instances : {
      for log in var.postgres.log_exports : (key == "first" ? log : "${key}/${log}") => "${identifier}/${log}"
    }
  ]...)

  name              = "/aws/rds/instance/${each.value}"
  retention_in_days = var.postgres.log_retention_days
  kms_key_id        = var.kms_key_arn
}

# Usually one. restore.yml makes another beside it, from a snapshot or to a point in time, switches the
# application over and keeps the former one until it is released: docs/decisions/restore.md.
resource "aws_db_instance" "this" {
  #checkov:skip=CKV_AWS_118:Performance Insights and CloudWatch answer what enhanced monitoring's paid logs would
  #checkov:skip=CKV_AWS_161:the application logs in with the password that RDS rotates; a token of 15 minutes would need code in it
  for_each = local.instances

  identifier     = each.value
  engine         = "postgres"
  engine_version = var.postgres.engine_version
  instance_class = var.postgres.instance_class
  multi_az       = var.postgres.multi_az

  db_name  = var.postgres.database_name
  username = var.postgres.username
  port     = var.postgres.port
  # RDS makes the password, keeps it in Secrets Manager and rotates it: it is not in the state.
  manage_master_user_password   = true
  master_user_secret_kms_key_id = var.kms_key_arn

  storage_type          = "gp3"
  allocated_storage     = var.postgres.storage_gb
  max_allocated_storage = var.postgres.max_storage_gb
  storage_encrypted     = true
  kms_key_id            = var.kms_key_arn

  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = var.security_group_ids
  parameter_group_name   = aws_db_parameter_group.this.name
  publicly_accessible    = false
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  iam_database_authentication_enabled = var.postgres.iam_authentication

  backup_retention_period   = var.postgres.backup_retention_days
  backup_window             = var.postgres.backup_window
  maintenance_window        = var.postgres.maintenance_window
  copy_tags_to_snapshot     = true
  delete_automated_backups  = var.postgres.final_snapshot == ""
  deletion_protection       = var.postgres.deletion_protection
  skip_final_snapshot       = var.postgres.final_snapshot == ""
  final_snapshot_identifier = var.postgres.final_snapshot == "" ? null : "${each.value}-${var.postgres.final_snapshot}"

  auto_minor_version_upgrade            = true
  apply_immediately                     = var.postgres.apply_immediately
  enabled_cloudwatch_logs_exports       = var.postgres.log_exports
  performance_insights_enabled          = var.postgres.performance_insights_retention > 0
  performance_insights_retention_period = var.postgres.performance_insights_retention > 0 ? var.postgres.performance_insights_retention : null
  performance_insights_kms_key_id       = var.postgres.performance_insights_retention > 0 ? var.kms_key_arn : null

  monitoring_interval = var.postgres.monitoring_interval
  monitoring_role_arn = one(aws_iam_role.enhanced_monitoring[*].arn)

  depends_on = [aws_cloudwatch_log_group.postgres, aws_iam_role_policy_attachment.enhanced_monitoring]

  lifecycle {
    # A restore takes no name for the database and has what was in the backup; whether RDS then still tells
    # the name is not documented, and another one would replace the instance.
    ignore_changes = [db_name]
  }
}

moved {
  from = aws_db_instance.this
  to   = aws_db_instance.this["first"]
}
