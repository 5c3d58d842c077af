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
  load_balancer = {
    arn_suffix                = "app/lyo-test/1"
    target_group_arn_suffixes = { blue = "targetgroup/lyo-test-blue/1", green = "targetgroup/lyo-test-green/2" }
  }
  service  = { cluster_name = "lyo-test", name = "lyo-test", minimum = 2, maximum = 10 }
  database = { identifier = "lyo-test", instance_class = "db.t3.micro", storage_gb = 20 }
  cache    = { replication_group_id = "lyo-test", nodes = 2 }
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

run "colour_that_is_no_word" {
  command = plan
  module {
    source = "./modules/monitoring"
  }

  variables {
    load_balancer = { arn_suffix = "app/lyo-test/1", target_group_arn_suffixes = { "Blue-1" = "targetgroup/lyo-test-blue/1" } }
  }

  expect_failures = [var.load_balancer]
}

run "service_bounds" {
  command = plan
  module {
    source = "./modules/monitoring"
  }

  variables {
    service = { cluster_name = "lyo-test", name = "lyo-test", minimum = 3, maximum = 2 }
  }

  expect_failures = [var.service]
}

run "instance_class" {
  command = plan
  module {
    source = "./modules/monitoring"
  }

  variables {
    database = { identifier = "lyo-test", instance_class = "t3.micro", storage_gb = 20 }
  }

  expect_failures = [var.database]
}

run "cache_without_nodes" {
  command = plan
  module {
    source = "./modules/monitoring"
  }

  variables {
    cache = { replication_group_id = "lyo-test", nodes = 0 }
  }

  expect_failures = [var.cache]
}

run "availability_of_everything" {
  command = plan
  module {
    source = "./modules/monitoring"
  }

  variables {
    slo = { availability = 100 }
  }

  expect_failures = [var.slo]
}

run "minimum_failures" {
  command = plan
  module {
    source = "./modules/monitoring"
  }

  variables {
    slo = { minimum_failures = 0 }
  }

  expect_failures = [var.slo]
}

run "threshold_of_nothing" {
  command = plan
  module {
    source = "./modules/monitoring"
  }

  variables {
    thresholds = { latency_seconds = 0 }
  }

  expect_failures = [var.thresholds]
}

run "threshold_of_all" {
  command = plan
  module {
    source = "./modules/monitoring"
  }

  variables {
    thresholds = { cache_memory_percent = 100 }
  }

  expect_failures = [var.thresholds]
}

run "budget_of_nothing" {
  command = plan
  module {
    source = "./modules/monitoring"
  }

  variables {
    budget = { monthly_usd = 0 }
  }

  expect_failures = [var.budget]
}

run "monitor_by_name" {
  command = plan
  module {
    source = "./modules/monitoring"
  }

  variables {
    budget = { anomaly_monitor_arn = "Default-Services-Monitor" }
  }

  expect_failures = [var.budget]
}
