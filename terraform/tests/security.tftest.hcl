# What the module does with its variables. tests/terraform/test_web_acl.py sends requests through the rules.

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

run "defaults" {
  command = plan
  module {
    source = "./modules/security"
  }

  assert {
    condition     = toset([for rule in aws_wafv2_web_acl.this.rule : rule.name if length(flatten(concat(rule.action[*].count, rule.override_action[*].count))) > 0]) == toset(["ip-reputation-labels"])
    error_message = "nothing may only count but the group that labels"
  }

  assert {
    condition     = !anytrue([for rule in aws_wafv2_web_acl.this.rule : rule.visibility_config[0].sampled_requests_enabled]) && !aws_wafv2_web_acl.this.visibility_config[0].sampled_requests_enabled
    error_message = "samples would show Meta's verify token"
  }

  assert {
    condition     = startswith(aws_cloudwatch_log_group.waf.name, "aws-waf-logs-")
    error_message = "WAF takes no log group of another name"
  }

  assert {
    condition     = aws_wafv2_web_acl_logging_configuration.this.logging_filter[0].default_behavior == "DROP"
    error_message = "what is let through must not be logged"
  }

  assert {
    condition     = sort(flatten([for field in aws_wafv2_web_acl_logging_configuration.this.redacted_fields : concat([for header in field.single_header : header.name], [for query in field.query_string : "query"])])) == tolist(["authorization", "cookie", "query"])
    error_message = "secrets must be redacted"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.webhook_blocked.threshold == 1 && aws_cloudwatch_metric_alarm.webhook_blocked.alarm_actions == toset([var.topic_arns.warning])
    error_message = "the first blocked message is told"
  }

  assert {
    condition     = { for name, feature in aws_guardduty_detector_feature.this : name => feature.status } == { S3_DATA_EVENTS = "ENABLED", RDS_LOGIN_EVENTS = "ENABLED", EBS_MALWARE_PROTECTION = "DISABLED", EKS_AUDIT_LOGS = "DISABLED", LAMBDA_NETWORK_LOGS = "DISABLED", RUNTIME_MONITORING = "DISABLED" }
    error_message = "features must be those of the variable, the others off"
  }

  assert {
    condition     = [for agent in aws_guardduty_detector_feature.this["RUNTIME_MONITORING"].additional_configuration : agent.name] == ["EKS_ADDON_MANAGEMENT", "ECS_FARGATE_AGENT_MANAGEMENT", "EC2_AGENT_MANAGEMENT"]
    error_message = "another order than AWS's is a difference for ever"
  }

  assert {
    condition     = { for name, target in aws_cloudwatch_event_target.report : name => target.arn } == { guardduty-critical = var.topic_arns.critical, guardduty-warning = var.topic_arns.warning, access-analyzer = var.topic_arns.warning, aws-health = var.topic_arns.warning }
    error_message = "each finding goes to its topic"
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.report["guardduty-critical"].event_pattern).detail.severity[0].numeric == [">=", 7] && jsondecode(aws_cloudwatch_event_rule.report["guardduty-warning"].event_pattern).detail.severity[0].numeric == [">=", 4, "<", 7]
    error_message = "each finding is told once"
  }

  assert {
    condition     = alltrue([for target in aws_cloudwatch_event_target.report : alltrue([for line in split("\n", target.input_transformer[0].input_template) : can(regex("^\"[^\"]*\"$", line))])])
    error_message = "EventBridge takes text as lines in quotes"
  }

  assert {
    condition     = alltrue([for target in aws_cloudwatch_event_target.report : toset(flatten(regexall("<([a-z]+)>", target.input_transformer[0].input_template))) == toset(keys(target.input_transformer[0].input_paths))])
    error_message = "each placeholder has a path, and each path is used"
  }
}

run "a_rule_that_only_counts" {
  command = plan
  module {
    source = "./modules/security"
  }

  variables {
    waf = { count_only = ["common", "request-rate"], count_rules = { sql-injection = ["SQLi_BODY"] }, versions = { known-bad-inputs = "Version_1.22" } }
  }

  assert {
    condition     = toset([for rule in aws_wafv2_web_acl.this.rule : rule.name if length(flatten(concat(rule.action[*].count, rule.override_action[*].count))) > 0]) == toset(["common", "request-rate", "ip-reputation-labels"])
    error_message = "these and no others count"
  }

  assert {
    condition     = [for rule in aws_wafv2_web_acl.this.rule : rule if rule.name == "sql-injection"][0].statement[0].managed_rule_group_statement[0].rule_action_override[0].name == "SQLi_BODY"
    error_message = "a single rule of a group can count"
  }

  assert {
    condition     = [for rule in aws_wafv2_web_acl.this.rule : rule if rule.name == "known-bad-inputs"][0].statement[0].managed_rule_group_statement[0].version == "Version_1.22"
    error_message = "a version can be kept"
  }
}

run "the_detector_is_an_organizations" {
  command = plan
  module {
    source = "./modules/security"
  }

  variables {
    guardduty = { enabled = false }
  }

  assert {
    condition     = length(aws_guardduty_detector.this) == 0 && length(aws_guardduty_detector_feature.this) == 0 && output.detector_id == null
    error_message = "there must be no second detector"
  }

  assert {
    condition     = contains(keys(aws_cloudwatch_event_rule.report), "guardduty-critical")
    error_message = "its findings are still told"
  }
}

run "runtime_monitoring" {
  command = plan
  module {
    source = "./modules/security"
  }

  variables {
    guardduty = { features = { runtime_monitoring = true } }
  }

  assert {
    condition     = { for agent in aws_guardduty_detector_feature.this["RUNTIME_MONITORING"].additional_configuration : agent.name => agent.status } == { EKS_ADDON_MANAGEMENT = "DISABLED", ECS_FARGATE_AGENT_MANAGEMENT = "ENABLED", EC2_AGENT_MANAGEMENT = "DISABLED" }
    error_message = "the agent is for Fargate only"
  }
}

run "nothing_else_of_the_account" {
  command = plan
  module {
    source = "./modules/security"
  }

  variables {
    account_findings = { access_analyzer = false, health = false }
  }

  assert {
    condition     = length(aws_accessanalyzer_analyzer.this) == 0 && toset(keys(aws_cloudwatch_event_rule.report)) == toset(["guardduty-critical", "guardduty-warning"])
    error_message = "an organization's analyzer does it"
  }
}
