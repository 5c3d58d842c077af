# For each validation of a variable, a value that it must refuse.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

mock_provider "aws" {
  alias = "backup_copy"
}

variables {
  name               = "lyo-test"
  region             = "eu-south-1"
  account_id         = "123456789012"
  cluster_name       = "lyo-test"
  subnet_ids         = ["subnet-a", "subnet-b"]
  security_group_ids = ["sg-a"]
  secret_arns        = ["arn:aws:secretsmanager:eu-south-1:123456789012:secret:rds!db-1"]
  topic_arns         = { warning = "arn:aws:sns:eu-south-1:123456789012:lyo-test-warning" }
}

run "name_with_capitals" {
  command = plan
  module {
    source = "./modules/operations"
  }

  variables {
    name = "Lyo"
  }

  expect_failures = [var.name]
}

run "region" {
  command = plan
  module {
    source = "./modules/operations"
  }

  variables {
    region = "Milan"
  }

  expect_failures = [var.region]
}

run "account_id" {
  command = plan
  module {
    source = "./modules/operations"
  }

  variables {
    account_id = "1234"
  }

  expect_failures = [var.account_id]
}

run "cluster_name" {
  command = plan
  module {
    source = "./modules/operations"
  }

  variables {
    cluster_name = ""
  }

  expect_failures = [var.cluster_name]
}

run "no_subnet" {
  command = plan
  module {
    source = "./modules/operations"
  }

  variables {
    subnet_ids = []
  }

  expect_failures = [var.subnet_ids]
}

run "no_security_group" {
  command = plan
  module {
    source = "./modules/operations"
  }

  variables {
    security_group_ids = []
  }

  expect_failures = [var.security_group_ids]
}

run "no_secret" {
  command = plan
  module {
    source = "./modules/operations"
  }

  variables {
    secret_arns = []
  }

  expect_failures = [var.secret_arns]
}

run "no_topic" {
  command = plan
  module {
    source = "./modules/operations"
  }

  variables {
    topic_arns = {}
  }

  expect_failures = [var.topic_arns]
}

run "key_of_nothing" {
  command = plan
  module {
    source = "./modules/operations"
  }

  variables {
    kms_key_arn = "alias/lyo"
  }

  expect_failures = [var.kms_key_arn]
}

run "one_image" {
  command = plan
  module {
    source = "./modules/operations"
  }

  variables {
    registry = { keep_images = 1 }
  }

  expect_failures = [var.registry]
}

run "log_days" {
  command = plan
  module {
    source = "./modules/operations"
  }

  variables {
    log_days = 8
  }

  expect_failures = [var.log_days]
}

run "lock_of_years" {
  command = plan
  module {
    source = "./modules/operations"
  }

  variables {
    backups = { lock_days = 366 }
  }

  expect_failures = [var.backups]
}

run "gone_at_once" {
  command = plan
  module {
    source = "./modules/operations"
  }

  variables {
    backups = { noncurrent_days = 0 }
  }

  expect_failures = [var.backups]
}

run "copy_key_of_nothing" {
  command = plan
  module {
    source = "./modules/operations"
  }

  variables {
    backups = { copy_kms_key_arn = "alias/lyo" }
  }

  expect_failures = [var.backups]
}

run "run_by_cron" {
  command = plan
  module {
    source = "./modules/operations"
  }

  variables {
    schedules = { run_by = "cron" }
  }

  expect_failures = [var.schedules]
}

run "expression_of_five_fields" {
  command = plan
  module {
    source = "./modules/operations"
  }

  variables {
    schedules = { backup = { expression = "cron(30 4 * * *)" } }
  }

  expect_failures = [var.schedules]
}

run "longer_than_cloudwatch_looks_back" {
  command = plan
  module {
    source = "./modules/operations"
  }

  variables {
    schedules = { drift = { missed_hours = 169 } }
  }

  expect_failures = [var.schedules]
}

run "flexible_for_two_days" {
  command = plan
  module {
    source = "./modules/operations"
  }

  variables {
    schedules = { flexible_minutes = 2880 }
  }

  expect_failures = [var.schedules]
}
