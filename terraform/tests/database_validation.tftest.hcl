# For each validation of a variable, a value that it must refuse.

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

run "name_with_capitals" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    name = "Lyo"
  }

  expect_failures = [var.name]
}

run "one_subnet" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    subnet_ids = ["subnet-a"]
  }

  expect_failures = [var.subnet_ids]
}

run "no_security_group" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    security_group_ids = []
  }

  expect_failures = [var.security_group_ids]
}

run "key_is_no_arn" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    kms_key_arn = "alias/lyo"
  }

  expect_failures = [var.kms_key_arn]
}

run "recovery_too_short" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    secret_recovery_days = 3
  }

  expect_failures = [var.secret_recovery_days]
}

run "postgres_too_old" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    postgres = { engine_version = "13" }
  }

  expect_failures = [var.postgres]
}

run "postgres_class" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    postgres = { instance_class = "t3.micro" }
  }

  expect_failures = [var.postgres]
}

run "postgres_storage" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    postgres = { storage_gb = 100, max_storage_gb = 50 }
  }

  expect_failures = [var.postgres]
}

run "postgres_names" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    postgres = { database_name = "lyo-db" }
  }

  expect_failures = [var.postgres]
}

run "postgres_username" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    postgres = { username = "postgres" }
  }

  expect_failures = [var.postgres]
}

run "postgres_no_backups" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    postgres = { backup_retention_days = 0 }
  }

  expect_failures = [var.postgres]
}

run "postgres_windows" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    postgres = { backup_window = "at night" }
  }

  expect_failures = [var.postgres]
}

run "postgres_insights" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    postgres = { performance_insights_retention = 30 }
  }

  expect_failures = [var.postgres]
}

run "postgres_log_exports" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    postgres = { log_exports = ["error"] }
  }

  expect_failures = [var.postgres]
}

run "postgres_log_retention" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    postgres = { log_retention_days = 2 }
  }

  expect_failures = [var.postgres]
}

run "postgres_two_ways_to_force_ssl" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    postgres = { parameters = { "rds.force_ssl" = "0" } }
  }

  expect_failures = [var.postgres]
}

run "cache_engine" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    cache = { engine = "memcached" }
  }

  expect_failures = [var.cache]
}

run "cache_version" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    cache = { engine_version = "8" }
  }

  expect_failures = [var.cache]
}

run "cache_node_type" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    cache = { node_type = "t4g.micro" }
  }

  expect_failures = [var.cache]
}

run "cache_nodes" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    cache = { nodes = 0 }
  }

  expect_failures = [var.cache]
}

run "cache_no_snapshots" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    cache = { snapshot_days = 0 }
  }

  expect_failures = [var.cache]
}

run "cache_windows" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    cache = { maintenance_window = "03:00-04:00" }
  }

  expect_failures = [var.cache]
}

run "vpc_is_no_vpc" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    vpc_id = "subnet-a"
  }

  expect_failures = [var.vpc_id]
}

run "postgres_monitoring_interval" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    postgres = { monitoring_interval = 20 }
  }

  expect_failures = [var.postgres]
}

run "postgres_password_rotation" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    postgres = { password_rotation_days = 0 }
  }

  expect_failures = [var.postgres]
}

run "cache_redis_too_new" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    cache = { engine = "redis", engine_version = "8.1" }
  }

  expect_failures = [var.cache]
}

run "backup_schedule" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    backup = { daily = { schedule = "every night" } }
  }

  expect_failures = [var.backup]
}

run "backup_monthly_shorter_than_daily" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    backup = { monthly = { keep_days = 7 } }
  }

  expect_failures = [var.backup]
}

run "backup_lock_longer_than_kept" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    backup = { lock = { enabled = true, min_days = 90 } }
  }

  expect_failures = [var.backup]
}

run "backup_copy_key" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    backup = { copy = { kms_key_arn = "alias/lyo" } }
  }

  expect_failures = [var.backup]
}

run "backup_restore_test_for_ever" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    backup = { restore_test = { keep_hours = 200 } }
  }

  expect_failures = [var.backup]
}

run "backup_anybody_deletes" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    backup = { may_delete_arns = ["*"] }
  }

  expect_failures = [var.backup]
}

run "backup_deprecated_event" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    backup = { notify_events = ["BACKUP_JOB_FAILED"] }
  }

  expect_failures = [var.backup]
}

run "a_key_that_is_not_the_identifier" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    instances = { first = "lyo-test-r1" }
  }

  expect_failures = [var.instances]
}

run "a_serving_one_that_is_not_there" {
  command = plan
  module {
    source = "./modules/database"
  }

  variables {
    serving = "lyo-test-r1"
  }

  expect_failures = [var.serving]
}
