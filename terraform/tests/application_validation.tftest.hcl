# For each validation of a variable, a value that it must refuse.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  name               = "lyo-test"
  region             = "eu-south-1"
  account_id         = "123456789012"
  vpc_id             = "vpc-a"
  public_subnet_ids  = ["subnet-a", "subnet-b"]
  private_subnet_ids = ["subnet-c", "subnet-d"]
  security_group_ids = { web = "sg-a", application = "sg-b" }
  certificate_arn    = "arn:aws:acm:eu-south-1:123456789012:certificate/test"
}

run "name_with_capitals" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    name = "Lyo"
  }

  expect_failures = [var.name]
}

run "region" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    region = "Milan"
  }

  expect_failures = [var.region]
}

run "account_id" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    account_id = "1234"
  }

  expect_failures = [var.account_id]
}

run "vpc_id" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    vpc_id = "lyo"
  }

  expect_failures = [var.vpc_id]
}

run "one_public_subnet" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    public_subnet_ids = ["subnet-a"]
  }

  expect_failures = [var.public_subnet_ids]
}

run "no_private_subnet" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    private_subnet_ids = []
  }

  expect_failures = [var.private_subnet_ids]
}

run "security_group_names" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    security_group_ids = { web = "web", application = "sg-b" }
  }

  expect_failures = [var.security_group_ids]
}

run "secret_names" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    secret_arns = ["lyo/whatsapp"]
  }

  expect_failures = [var.secret_arns]
}

run "key_is_no_arn" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    kms_key_arn = "alias/lyo"
  }

  expect_failures = [var.kms_key_arn]
}

run "recovery_too_short" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    secret_recovery_days = 3
  }

  expect_failures = [var.secret_recovery_days]
}

run "certificate_is_no_arn" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    certificate_arn = "api.lyo.example"
  }

  expect_failures = [var.certificate_arn]
}

run "public_https_port" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    public_https_port = 0
  }

  expect_failures = [var.public_https_port]
}

run "idle_timeout" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    load_balancer = { idle_timeout = 5000 }
  }

  expect_failures = [var.load_balancer]
}

run "old_tls" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    load_balancer = { tls_policy = "ELBSecurityPolicy-2016-08" }
  }

  expect_failures = [var.load_balancer]
}

run "test_port_is_production" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    load_balancer = { test_port = 443 }
  }

  expect_failures = [var.load_balancer]
}

run "access_log_days" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    load_balancer = { access_log_days = 0 }
  }

  expect_failures = [var.load_balancer]
}

run "deregistration_delay" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    load_balancer = { deregistration_delay = 4000 }
  }

  expect_failures = [var.load_balancer]
}

run "health_path" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    health_check = { path = "health" }
  }

  expect_failures = [var.health_check]
}

run "health_timeout" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    health_check = { interval = 5, timeout = 5 }
  }

  expect_failures = [var.health_check]
}

run "health_thresholds" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    health_check = { healthy_threshold = 1 }
  }

  expect_failures = [var.health_check]
}

run "cpu" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    service = { cpu = 500 }
  }

  expect_failures = [var.service]
}

run "memory" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    service = { cpu = 512, memory = 512 }
  }

  expect_failures = [var.service]
}

run "container_port" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    service = { container_port = 0 }
  }

  expect_failures = [var.service]
}

run "log_days" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    service = { log_days = 2 }
  }

  expect_failures = [var.service]
}

run "insights" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    service = { insights = "on" }
  }

  expect_failures = [var.service]
}

run "grace_seconds" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    service = { grace_seconds = -1 }
  }

  expect_failures = [var.service]
}

run "scaling_bounds" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    scaling = { min = 3, max = 2 }
  }

  expect_failures = [var.scaling]
}

run "scaling_cpu" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    scaling = { cpu_percent = 100 }
  }

  expect_failures = [var.scaling]
}

run "scaling_requests" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    scaling = { requests_per_task_minute = 0 }
  }

  expect_failures = [var.scaling]
}

run "registry_removes_what_is_just_being_pushed" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    registry = { untagged_days = 0 }
  }

  expect_failures = [var.registry]
}
