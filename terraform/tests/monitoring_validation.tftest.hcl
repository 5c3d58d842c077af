# For each validation of a variable, a value that it must refuse.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

mock_provider "aws" {
  alias = "us_east_1"
}

variables {
  name       = "lyo-test"
  region     = "eu-south-1"
  account_id = "123456789012"
}

run "name_with_capitals" {
  command = plan
  module {
    source = "./modules/monitoring"
  }
  providers = { aws = aws, aws.us_east_1 = aws.us_east_1 }

  variables {
    name = "Lyo"
  }

  expect_failures = [var.name]
}

run "region" {
  command = plan
  module {
    source = "./modules/monitoring"
  }
  providers = { aws = aws, aws.us_east_1 = aws.us_east_1 }

  variables {
    region = "Milan"
  }

  expect_failures = [var.region]
}

run "account_id" {
  command = plan
  module {
    source = "./modules/monitoring"
  }
  providers = { aws = aws, aws.us_east_1 = aws.us_east_1 }

  variables {
    account_id = "1234"
  }

  expect_failures = [var.account_id]
}

run "subscriber_by_sms" {
  command = plan
  module {
    source = "./modules/monitoring"
  }
  providers = { aws = aws, aws.us_east_1 = aws.us_east_1 }

  variables {
    alerts = { critical = [{ protocol = "sms", endpoint = "+390212345678" }] }
  }

  expect_failures = [var.alerts]
}

run "key_deletion_days" {
  command = plan
  module {
    source = "./modules/monitoring"
  }
  providers = { aws = aws, aws.us_east_1 = aws.us_east_1 }

  variables {
    alerts = { key_deletion_days = 3 }
  }

  expect_failures = [var.alerts]
}
