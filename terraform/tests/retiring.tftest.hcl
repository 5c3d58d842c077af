# What destroy.yml turns off before everything goes, and what it leaves as it is.

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

variables {
  environment   = "production"
  account_id    = "123456789012"
  region        = "eu-south-1"
  domain        = "lyo.example"
  postgres      = { deletion_protection = true, final_snapshot = "last" }
  load_balancer = { deletion_protection = true }
  alerts = {
    critical = [{ protocol = "email", endpoint = "oncall@lyo.example" }]
    warning  = [{ protocol = "email", endpoint = "operations@lyo.example" }]
  }
}

run "stays" {
  command = plan

  assert {
    condition     = local.postgres.deletion_protection && local.load_balancer.deletion_protection
    error_message = "Nothing may be unprotected while nobody retires the environment."
  }
  assert {
    condition     = local.load_balancer.force_destroy == null && local.registry.force_delete == null && local.dashboard.force_destroy == null
    error_message = "Without retiring, what the modules' defaults say must hold."
  }
}

run "retires" {
  command = plan

  variables {
    retiring = true
  }

  assert {
    condition     = !local.postgres.deletion_protection && !local.load_balancer.deletion_protection
    error_message = "Retiring must lift deletion protection."
  }
  assert {
    condition     = local.load_balancer.force_destroy && local.registry.force_delete && local.dashboard.force_destroy
    error_message = "Retiring must let buckets and registry go with their content."
  }
  assert {
    condition     = local.logical_backups.force_destroy != true
    error_message = "Retiring must leave the logical backups where they are."
  }
  assert {
    condition     = local.postgres.final_snapshot == "last" && local.postgres.multi_az == var.postgres.multi_az
    error_message = "Retiring must leave everything else, the final snapshot above all."
  }
}
