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
  name          = "lyo-test"
  account_id    = "123456789012"
  domain        = "lyo.example"
  load_balancer = { dns_name = "lyo-test-1.eu-south-1.elb.amazonaws.com", zone_id = "Z3ULH7SSC9OV64" }
}

run "name_with_capitals" {
  command = plan
  module {
    source = "./modules/dns"
  }

  variables {
    name = "Lyo"
  }

  expect_failures = [var.name]
}

run "account_id" {
  command = plan
  module {
    source = "./modules/dns"
  }

  variables {
    account_id = "1234"
  }

  expect_failures = [var.account_id]
}

run "domain_with_scheme" {
  command = plan
  module {
    source = "./modules/dns"
  }

  variables {
    domain = "https://lyo.example"
  }

  expect_failures = [var.domain]
}

run "zone_is_a_name" {
  command = plan
  module {
    source = "./modules/dns"
  }

  variables {
    hosted_zone_id = "lyo.example"
  }

  expect_failures = [var.hosted_zone_id]
}

run "port_out_of_range" {
  command = plan
  module {
    source = "./modules/dns"
  }

  variables {
    ports = { https = 0 }
  }

  expect_failures = [var.ports]
}

run "load_balancer_without_zone" {
  command = plan
  module {
    source = "./modules/dns"
  }

  variables {
    load_balancer = { dns_name = "lyo.example", zone_id = "eu-south-1" }
  }

  expect_failures = [var.load_balancer]
}

run "health_path" {
  command = plan
  module {
    source = "./modules/dns"
  }

  variables {
    health_check = { path = "health" }
  }

  expect_failures = [var.health_check]
}

run "health_string_empty" {
  command = plan
  module {
    source = "./modules/dns"
  }

  variables {
    health_check = { search_string = "" }
  }

  expect_failures = [var.health_check]
}

run "health_interval" {
  command = plan
  module {
    source = "./modules/dns"
  }

  variables {
    health_check = { interval = 20 }
  }

  expect_failures = [var.health_check]
}

run "health_threshold" {
  command = plan
  module {
    source = "./modules/dns"
  }

  variables {
    health_check = { failure_threshold = 11 }
  }

  expect_failures = [var.health_check]
}

run "health_from_two_regions" {
  command = plan
  module {
    source = "./modules/dns"
  }

  variables {
    health_check = { regions = ["eu-west-1", "us-east-1"] }
  }

  expect_failures = [var.health_check]
}

run "health_from_milan" {
  command = plan
  module {
    source = "./modules/dns"
  }

  variables {
    health_check = { regions = ["eu-south-1", "eu-west-1", "us-east-1"] }
  }

  expect_failures = [var.health_check]
}

run "retry_at_once" {
  command = plan
  module {
    source = "./modules/dns"
  }

  variables {
    retry_after = 0
  }

  expect_failures = [var.retry_after]
}

run "price_class" {
  command = plan
  module {
    source = "./modules/dns"
  }

  variables {
    dashboard = { price_class = "PriceClass_1" }
  }

  expect_failures = [var.dashboard]
}

run "nothing_kept" {
  command = plan
  module {
    source = "./modules/dns"
  }

  variables {
    dashboard = { noncurrent_days = 0 }
  }

  expect_failures = [var.dashboard]
}

run "topic_names" {
  command = plan
  module {
    source = "./modules/dns"
  }

  variables {
    topic_arns = { warning = "lyo-test-warning" }
  }

  expect_failures = [var.topic_arns]
}
