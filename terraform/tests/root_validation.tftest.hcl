# For each validation of a variable, a value that it must refuse.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_data "aws_secretsmanager_random_password" {
    defaults = { random_password = "0123456789abcdef0123456789abcdef" }
  }
}

mock_provider "aws" {
  alias = "us_east_1"
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

mock_provider "aws" {
  alias = "backup_copy"
}

# Planning the web ACL takes longer than everything else together, and refuses nothing here.
override_module {
  target = module.security
  outputs = {
    web_acl    = { name = "lyo-test" }
    alarm_arns = []
  }
}

variables {
  environment = "production"
  account_id  = "123456789012"
  region      = "eu-south-1"
  domain      = "lyo.example"
  alerts = {
    critical = [{ protocol = "email", endpoint = "oncall@lyo.example" }]
    warning  = [{ protocol = "email", endpoint = "operations@lyo.example" }]
  }
}

run "environment" {
  command = plan

  variables {
    environment = "prod"
  }

  expect_failures = [var.environment]
}

run "account_id" {
  command = plan

  variables {
    account_id = "1234"
  }

  expect_failures = [var.account_id]
}

run "region" {
  command = plan

  variables {
    region = "Milan"
  }

  expect_failures = [var.region]
}

run "tags" {
  command = plan

  variables {
    tags = { Environment = "other" }
  }

  expect_failures = [var.tags]
}

run "max_retries" {
  command = plan

  variables {
    provider_settings = { max_retries = 0 }
  }

  expect_failures = [var.provider_settings]
}

run "names_that_nobody_resolves" {
  command = plan

  variables {
    public_dns = false
  }

  expect_failures = [var.public_dns]
}

run "public_https_port" {
  command = plan

  variables {
    public_https_port = 10443
  }

  expect_failures = [var.public_https_port]
}

run "secret_recovery" {
  command = plan

  variables {
    secret_recovery_days = 0
  }

  expect_failures = [var.secret_recovery_days]
}

run "zones" {
  command = plan

  variables {
    network = { zones = ["eu-south-1a"], nat_gateways = 1 }
  }

  expect_failures = [var.network]
}

run "postgres_unprotected" {
  command = plan

  variables {
    postgres = { deletion_protection = false }
  }

  expect_failures = [var.postgres]
}

run "postgres_without_tls" {
  command = plan

  variables {
    postgres = { force_ssl = false }
  }

  expect_failures = [var.postgres]
}

run "cache_without_failover" {
  command = plan

  variables {
    cache = { nodes = 1 }
  }

  expect_failures = [var.cache]
}

run "cache_without_tls" {
  command = plan

  variables {
    cache = { transit_encryption = false }
  }

  expect_failures = [var.cache]
}

run "load_balancer_unprotected" {
  command = plan

  variables {
    load_balancer = { deletion_protection = false }
  }

  expect_failures = [var.load_balancer]
}

run "one_task" {
  command = plan

  variables {
    scaling = { min = 1 }
  }

  expect_failures = [var.scaling]
}

run "registry_forgets" {
  command = plan

  variables {
    registry = { force_delete = true }
  }

  expect_failures = [var.registry]
}

run "nobody_is_woken" {
  command = plan

  variables {
    alerts = { warning = [{ protocol = "email", endpoint = "operations@lyo.example" }] }
  }

  expect_failures = [var.alerts]
}

run "backup_off" {
  command = plan

  variables {
    backup = { enabled = false }
  }

  expect_failures = [var.backup]
}

run "backup_that_anybody_deletes" {
  command = plan

  variables {
    backup = { lock = { enabled = false } }
  }

  expect_failures = [var.backup]
}

run "backup_in_one_region" {
  command = plan

  variables {
    backup = { copy = { enabled = false } }
  }

  expect_failures = [var.backup]
}

run "backup_never_restored" {
  command = plan

  variables {
    backup = { restore_test = { enabled = false } }
  }

  expect_failures = [var.backup]
}

run "backup_copies_beside_the_originals" {
  command = plan

  variables {
    backup_copy_region = "eu-south-1"
  }

  expect_failures = [var.backup_copy_region]
}

run "threshold_that_nobody_knows" {
  command = plan

  variables {
    thresholds = { latency = 3 }
  }

  expect_failures = [var.thresholds]
}

run "backups_without_a_lock" {
  command = plan

  variables {
    operations = { backups = { lock_days = 0 } }
  }

  expect_failures = [var.operations]
}

run "backups_without_a_copy" {
  command = plan

  variables {
    operations = { backups = { copy = false } }
  }

  expect_failures = [var.operations]
}

run "backups_that_go_with_their_bucket" {
  command = plan

  variables {
    operations = { backups = { force_destroy = true } }
  }

  expect_failures = [var.operations]
}
