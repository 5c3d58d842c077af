# For each validation of a variable, a value that it must refuse.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-south-1:123456789012:log-group:aws-waf-logs-lyo-test" }
  }
  mock_resource "aws_wafv2_web_acl" {
    defaults = { arn = "arn:aws:wafv2:eu-south-1:123456789012:regional/webacl/lyo-test/1" }
  }
}

variables {
  name              = "lyo-test"
  region            = "eu-south-1"
  account_id        = "123456789012"
  load_balancer_arn = "arn:aws:elasticloadbalancing:eu-south-1:123456789012:loadbalancer/app/lyo-test/1"
  topic_arns = {
    critical = "arn:aws:sns:eu-south-1:123456789012:lyo-test-critical"
    warning  = "arn:aws:sns:eu-south-1:123456789012:lyo-test-warning"
  }
}

run "name_with_capitals" {
  command = plan
  module {
    source = "./modules/security"
  }

  variables {
    name = "Lyo"
  }

  expect_failures = [var.name]
}

run "webhook_path_with_a_slash_at_its_end" {
  command = plan
  module {
    source = "./modules/security"
  }

  variables {
    waf = { webhook_path = "/webhook/" }
  }

  expect_failures = [var.waf]
}

run "webhook_path_is_the_health_path" {
  command = plan
  module {
    source = "./modules/security"
  }

  variables {
    waf = { health_path = "/webhook" }
  }

  expect_failures = [var.waf]
}

run "webhook_limit_below_meta" {
  command = plan
  module {
    source = "./modules/security"
  }

  variables {
    waf = { webhook_limit = 9999, request_limit = 10 }
  }

  expect_failures = [var.waf]
}

run "webhook_limit_not_above_the_others" {
  command = plan
  module {
    source = "./modules/security"
  }

  variables {
    waf = { webhook_limit = 10000, request_limit = 2000 }
  }

  expect_failures = [var.waf]
}

run "request_limit_too_low" {
  command = plan
  module {
    source = "./modules/security"
  }

  variables {
    waf = { request_limit = 9 }
  }

  expect_failures = [var.waf]
}

run "count_only_no_such_rule" {
  command = plan
  module {
    source = "./modules/security"
  }

  variables {
    waf = { count_only = ["comon"] }
  }

  expect_failures = [var.waf]
}

run "count_rules_no_such_group" {
  command = plan
  module {
    source = "./modules/security"
  }

  variables {
    waf = { count_rules = { commun = ["SizeRestrictions_BODY"] } }
  }

  expect_failures = [var.waf]
}

run "versions_of_the_list_of_addresses" {
  command = plan
  module {
    source = "./modules/security"
  }

  variables {
    waf = { versions = { ip-reputation = "Version_1.0" } }
  }

  expect_failures = [var.waf]
}

run "log_days_not_offered" {
  command = plan
  module {
    source = "./modules/security"
  }

  variables {
    waf = { log_days = 10 }
  }

  expect_failures = [var.waf]
}

run "alarm_at_nothing" {
  command = plan
  module {
    source = "./modules/security"
  }

  variables {
    waf = { blocked_alarm = 0 }
  }

  expect_failures = [var.waf]
}

run "webhook_alarm_at_nothing" {
  command = plan
  module {
    source = "./modules/security"
  }

  variables {
    waf = { webhook_alarm = 0 }
  }

  expect_failures = [var.waf]
}

run "guardduty_frequency" {
  command = plan
  module {
    source = "./modules/security"
  }

  variables {
    guardduty = { publish_frequency = "DAILY" }
  }

  expect_failures = [var.guardduty]
}

run "guardduty_severities_reversed" {
  command = plan
  module {
    source = "./modules/security"
  }

  variables {
    guardduty = { warning_severity = 8 }
  }

  expect_failures = [var.guardduty]
}

run "guardduty_severity_too_high" {
  command = plan
  module {
    source = "./modules/security"
  }

  variables {
    guardduty = { critical_severity = 11 }
  }

  expect_failures = [var.guardduty]
}

run "key_is_no_arn" {
  command = plan
  module {
    source = "./modules/security"
  }

  variables {
    kms_key_arn = "alias/lyo"
  }

  expect_failures = [var.kms_key_arn]
}
