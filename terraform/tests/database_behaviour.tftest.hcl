# What the modules make of their variables, beyond copying them.

mock_provider "aws" {
  mock_data "aws_secretsmanager_random_password" {
    defaults = { random_password = "0123456789abcdef0123456789abcdef" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

mock_provider "aws" {
  alias = "backup_copy"
}

variables {
  name               = "lyo-test"
  vpc_id             = "vpc-0123456789abcdef0"
  subnet_ids         = ["subnet-a", "subnet-b"]
  security_group_ids = ["sg-a"]
}

run "by_default" {
  command = plan
  module {
    source = "./modules/database"
  }

  assert {
    condition     = aws_elasticache_parameter_group.this.family == "valkey8" && aws_elasticache_replication_group.this.engine == "valkey"
    error_message = "The cache is Valkey with its own parameter family."
  }
  assert {
    condition     = { for rule in aws_backup_plan.this[0].rule : rule.rule_name => one(rule.lifecycle).delete_after } == { daily = 35, monthly = 365 }
    error_message = "Recovery points are kept for 35 days, those of a month's first day for a year."
  }
  assert {
    condition     = alltrue([for rule in aws_backup_plan.this[0].rule : rule.enable_continuous_backup != true])
    error_message = "A continuous rule would take the instance's backup window and retention over."
  }
  assert {
    condition     = alltrue([for rule in aws_backup_plan.this[0].rule : length(rule.copy_action) == 1])
    error_message = "Every recovery point is copied to the other region."
  }
  assert {
    condition     = length(aws_backup_vault_policy.this) == 1 && length(aws_backup_vault_policy.copy) == 1
    error_message = "The policy against deletion is in both regions."
  }
  assert {
    condition     = aws_backup_vault_lock_configuration.this[0].changeable_for_days == null && aws_backup_vault_lock_configuration.copy[0].changeable_for_days == null
    error_message = "Compliance mode cannot be undone by anybody: the locks stay in governance mode."
  }
  assert {
    condition     = toset(keys(aws_backup_restore_testing_selection.this[0].restore_metadata_overrides)) == toset(["dbSubnetGroupName", "vpcSecurityGroupIds", "dbParameterGroupName", "multiAz", "publiclyAccessible"])
    error_message = "Without a subnet group and security groups a restore test goes to the default VPC."
  }
  assert {
    condition     = length(aws_db_event_subscription.this) == 0 && length(aws_backup_vault_notifications.this) == 0
    error_message = "Without a topic nothing is told."
  }
  assert {
    condition     = length(aws_iam_role.enhanced_monitoring) == 1 && aws_db_instance.this["first"].monitoring_interval == 60
    error_message = "Enhanced monitoring has its role."
  }
}

run "with_a_topic_and_a_longer_lock" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    notifications = { topic_arn = "arn:aws:sns:eu-south-1:123456789012:lyo-test-warning" }
    backup        = { lock = { min_days = 14 } }
  }

  assert {
    condition     = aws_backup_vault_lock_configuration.this[0].min_retention_days == 14 && aws_backup_vault_lock_configuration.copy[0].min_retention_days == 14
    error_message = "Both vaults are locked."
  }
  assert {
    condition     = contains(aws_db_event_subscription.this[0].event_categories, "failover") && contains(aws_db_event_subscription.this[0].event_categories, "low storage")
    error_message = "Failovers and low storage are told."
  }
  assert {
    condition     = aws_backup_vault_notifications.this[0].backup_vault_events == toset(["COPY_JOB_FAILED", "RESTORE_JOB_COMPLETED"])
    error_message = "Failed copies and finished restores are told."
  }
}

run "redis_and_no_copy" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    cache    = { engine = "redis", engine_version = "7.1" }
    postgres = { monitoring_interval = 0 }
    backup   = { lock = { enabled = false }, copy = { enabled = false }, restore_test = { enabled = false } }
  }

  assert {
    condition     = aws_elasticache_parameter_group.this.family == "redis7" && aws_elasticache_replication_group.this.engine == "redis" && aws_elasticache_replication_group.this.engine_version == "7.1"
    error_message = "Redis has its own parameter family."
  }
  assert {
    condition     = length(aws_backup_vault.copy) == 0 && length(aws_kms_key.copy) == 0 && alltrue([for rule in aws_backup_plan.this[0].rule : length(rule.copy_action) == 0])
    error_message = "No copy, no vault and no key in the other region."
  }
  assert {
    condition     = length(aws_backup_vault_lock_configuration.this) == 0
    error_message = "The lock can be left off."
  }
  assert {
    condition     = length(aws_backup_restore_testing_plan.this) == 0 && length(aws_security_group.restore_testing) == 0
    error_message = "No restore test, nothing of it."
  }
  assert {
    condition     = length(aws_iam_role.enhanced_monitoring) == 0
    error_message = "No enhanced monitoring, no role."
  }
}

run "a_given_key_for_the_copies" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    backup = { copy = { kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1" } }
  }

  assert {
    condition     = length(aws_kms_key.copy) == 0 && aws_backup_vault.copy[0].kms_key_arn == "arn:aws:kms:eu-central-1:123456789012:key/1"
    error_message = "The given key is used and none is made."
  }
}

run "no_backup" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    backup = { enabled = false }
  }

  assert {
    condition     = output.backup == { vault_name = null, vault_arn = null, copy_vault_arn = null, plan_id = null, role_arn = null }
    error_message = "Nothing of AWS Backup is there, in either region."
  }
  assert {
    condition     = length(aws_backup_vault.copy) + length(aws_backup_restore_testing_plan.this) + length(aws_iam_role.restore_testing) == 0
    error_message = "Nothing of AWS Backup is there, in either region."
  }
}
