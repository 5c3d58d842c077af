# For each validation of a variable, a value that it must refuse.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  name               = "lyo-test"
  availability_zones = ["eu-south-1a", "eu-south-1b", "eu-south-1c"]
}

run "name_with_capitals" {
  command = plan
  module {
    source = "./modules/vpc"
  }

  variables {
    name = "Lyo"
  }

  expect_failures = [var.name]
}

run "cidr_too_small" {
  command = plan
  module {
    source = "./modules/vpc"
  }

  variables {
    cidr = "10.0.0.0/24"
  }

  expect_failures = [var.cidr]
}

run "one_zone" {
  command = plan
  module {
    source = "./modules/vpc"
  }

  variables {
    availability_zones = ["eu-south-1a"]
    nat_gateways       = 1
  }

  expect_failures = [var.availability_zones]
}

run "more_nat_gateways_than_zones" {
  command = plan
  module {
    source = "./modules/vpc"
  }

  variables {
    nat_gateways = 4
  }

  expect_failures = [var.nat_gateways]
}

run "unknown_traffic" {
  command = plan
  module {
    source = "./modules/vpc"
  }

  variables {
    flow_logs = { traffic = "SOME" }
  }

  expect_failures = [var.flow_logs]
}

run "unknown_retention" {
  command = plan
  module {
    source = "./modules/vpc"
  }

  variables {
    flow_logs = { retention_days = 2 }
  }

  expect_failures = [var.flow_logs]
}

run "test_listener_not_a_range" {
  command = plan
  module {
    source = "./modules/vpc"
  }

  variables {
    test_listener_cidrs = ["203.0.113.7"]
  }

  expect_failures = [var.test_listener_cidrs]
}

run "test_listener_for_everybody" {
  command = plan
  module {
    source = "./modules/vpc"
  }

  variables {
    test_listener_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.test_listener_cidrs]
}

run "port_out_of_range" {
  command = plan
  module {
    source = "./modules/vpc"
  }

  variables {
    ports = { application = 70000 }
  }

  expect_failures = [var.ports]
}

run "unknown_interface_endpoint" {
  command = plan
  module {
    source = "./modules/vpc"
  }

  variables {
    interface_endpoints = ["s3"]
  }

  expect_failures = [var.interface_endpoints]
}
