# Rules run in the order of their priority; the first that blocks or allows ends it.
#
# The webhook is Meta's door. What customers write goes through it word for word, and may look like
# an attack, hold addresses or be long; a message whose retries are all blocked is lost. So nothing
# that reads a body looks at it (the application checks Meta's signature instead), only its method
# and its rate. Paths are compared as they were sent, without decoding: another spelling of the
# webhook's path is not the webhook, and gets every rule.
#
# Capacity, counted as if NONE were a transformation that costs: 1,281 of the 1,500 units that a web
# ACL has at its base price.
# https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statements-match.html
# https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html
locals {
  counts = { for rule in ["webhook-methods", "webhook-rate", "request-rate", "ip-reputation", "common", "known-bad-inputs", "sql-injection"] : rule => contains(var.waf.count_only, rule) }

  # What reads a request's content. The anonymous IP list is not among them on purpose: it blocks
  # hosting providers, and Meta and monitoring services are behind those.
  managed = {
    common           = { priority = 60, group = "AWSManagedRulesCommonRuleSet" }
    known-bad-inputs = { priority = 70, group = "AWSManagedRulesKnownBadInputsRuleSet" }
    sql-injection    = { priority = 80, group = "AWSManagedRulesSQLiRuleSet" }
  }

  # The lists whose addresses AWS blocks by default; of the third, AWSManagedIPDDoSList, it counts.
  # https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-ip-rep.html
  bad_addresses = ["AWSManagedIPReputationList", "AWSManagedReconnaissanceList"]
}

resource "aws_wafv2_web_acl" "this" {
  #checkov:skip=CKV_AWS_192:AWSManagedRulesKnownBadInputsRuleSet is there and blocks; the check does not follow a dynamic rule
  name        = var.name
  description = "In front of the load balancer of ${var.name}"
  scope       = "REGIONAL"

  default_action {
    allow {}
  }

  # Meta does nothing but GET (the handshake) and POST (messages).
  rule {
    name     = "webhook-methods"
    priority = 10

    action {
      dynamic "block" {
        for_each = local.counts["webhook-methods"] ? [] : [true]
        content {}
      }
      dynamic "count" {
        for_each = local.counts["webhook-methods"] ? [true] : []
        content {}
      }
    }

    statement {
      and_statement {
        statement {
          byte_match_statement {
            search_string         = var.waf.webhook_path
            positional_constraint = "EXACTLY"
            field_to_match {
              uri_path {}
            }
            text_transformation {
              priority = 0
              type     = "NONE"
            }
          }
        }
        dynamic "statement" {
          for_each = ["GET", "POST"]
          content {
            not_statement {
              statement {
                byte_match_statement {
                  search_string         = statement.value
                  positional_constraint = "EXACTLY"
                  field_to_match {
                    method {}
                  }
                  text_transformation {
                    priority = 0
                    type     = "NONE"
                  }
                }
              }
            }
          }
        }
      }
    }

    visibility_config {
      metric_name                = "webhook-methods"
      cloudwatch_metrics_enabled = true
      sampled_requests_enabled   = false
    }
  }

  # Meta's requests come from few addresses, so its share of one address can be everything. 1,000
  # restaurants at 200 messages a day, each with its own answer and three receipts, are 800,000
  # requests a day, 30 a second in the busiest hour; what an hour's outage has piled up comes back
  # on top within minutes: 100,000 in five minutes (333 a second) leave room for that from a single
  # address. The longest memory that still forgives within minutes smooths bursts; above the limit the
  # answer is 429, which Meta tries again later, so that a flood delays messages and loses none.
  # https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statement-type-rate-based-high-level-settings.html
  rule {
    name     = "webhook-rate"
    priority = 20

    action {
      dynamic "block" {
        for_each = local.counts["webhook-rate"] ? [] : [true]
        content {
          custom_response {
            response_code = 429
          }
        }
      }
      dynamic "count" {
        for_each = local.counts["webhook-rate"] ? [true] : []
        content {}
      }
    }

    statement {
      rate_based_statement {
        limit                 = var.waf.webhook_limit
        evaluation_window_sec = 300
        aggregate_key_type    = "IP"

        scope_down_statement {
          byte_match_statement {
            search_string         = var.waf.webhook_path
            positional_constraint = "EXACTLY"
            field_to_match {
              uri_path {}
            }
            text_transformation {
              priority = 0
              type     = "NONE"
            }
          }
        }
      }
    }

    visibility_config {
      metric_name                = "webhook-rate"
      cloudwatch_metrics_enabled = true
      sampled_requests_enabled   = false
    }
  }

  # Everybody else: ten requests a second for a whole minute is more than an office full of people at
  # its dashboards behind one address. The shortest window forgets soonest, so whoever was blocked by mistake
  # is back within a minute. The key is the address of the connection: nothing stands in front of the load
  # balancer, and X-Forwarded-For is whatever the sender writes into it.
  # https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statement-type-rate-based-aggregation-options.html
  rule {
    name     = "request-rate"
    priority = 30

    action {
      dynamic "block" {
        for_each = local.counts["request-rate"] ? [] : [true]
        content {
          custom_response {
            response_code = 429
          }
        }
      }
      dynamic "count" {
        for_each = local.counts["request-rate"] ? [true] : []
        content {}
      }
    }

    statement {
      rate_based_statement {
        limit                 = var.waf.request_limit
        evaluation_window_sec = 60
        aggregate_key_type    = "IP"

        scope_down_statement {
          not_statement {
            statement {
              byte_match_statement {
                search_string         = var.waf.webhook_path
                positional_constraint = "EXACTLY"
                field_to_match {
                  uri_path {}
                }
                text_transformation {
                  priority = 0
                  type     = "NONE"
                }
              }
            }
          }
        }
      }
    }

    visibility_config {
      metric_name                = "request-rate"
      cloudwatch_metrics_enabled = true
      sampled_requests_enabled   = false
    }
  }

  # Route 53's health checkers (and other monitoring) are not to be blocked by a list of addresses
  # or a group that AWS changes: a GET of the health check's path without a query string carries
  # nothing to look at, and stays below the rate above.
  rule {
    name     = "health-check"
    priority = 40

    action {
      allow {}
    }

    statement {
      and_statement {
        statement {
          byte_match_statement {
            search_string         = var.waf.health_path
            positional_constraint = "EXACTLY"
            field_to_match {
              uri_path {}
            }
            text_transformation {
              priority = 0
              type     = "NONE"
            }
          }
        }
        statement {
          byte_match_statement {
            search_string         = "GET"
            positional_constraint = "EXACTLY"
            field_to_match {
              method {}
            }
            text_transformation {
              priority = 0
              type     = "NONE"
            }
          }
        }
        statement {
          size_constraint_statement {
            comparison_operator = "EQ"
            size                = 0
            field_to_match {
              query_string {}
            }
            text_transformation {
              priority = 0
              type     = "NONE"
            }
          }
        }
      }
    }

    visibility_config {
      metric_name                = "health-check"
      cloudwatch_metrics_enabled = true
      sampled_requests_enabled   = false
    }
  }

  # Only labels and counts, everywhere: should one of Meta's addresses ever be on a list, it is seen
  # in the log and nothing is lost. The next rule blocks by the labels.
  rule {
    name     = "ip-reputation-labels"
    priority = 50

    override_action {
      count {}
    }

    statement {
      managed_rule_group_statement {
        vendor_name = "AWS"
        name        = "AWSManagedRulesAmazonIpReputationList"
      }
    }

    visibility_config {
      metric_name                = "ip-reputation-labels"
      cloudwatch_metrics_enabled = true
      sampled_requests_enabled   = false
    }
  }

  rule {
    name     = "ip-reputation"
    priority = 51

    action {
      dynamic "block" {
        for_each = local.counts["ip-reputation"] ? [] : [true]
        content {}
      }
      dynamic "count" {
        for_each = local.counts["ip-reputation"] ? [true] : []
        content {}
      }
    }

    statement {
      and_statement {
        statement {
          or_statement {
            dynamic "statement" {
              for_each = local.bad_addresses
              content {
                label_match_statement {
                  scope = "LABEL"
                  key   = "awswaf:managed:aws:amazon-ip-list:${statement.value}"
                }
              }
            }
          }
        }
        statement {
          not_statement {
            statement {
              byte_match_statement {
                search_string         = var.waf.webhook_path
                positional_constraint = "EXACTLY"
                field_to_match {
                  uri_path {}
                }
                text_transformation {
                  priority = 0
                  type     = "NONE"
                }
              }
            }
          }
        }
      }
    }

    visibility_config {
      metric_name                = "ip-reputation"
      cloudwatch_metrics_enabled = true
      sampled_requests_enabled   = false
    }
  }

  dynamic "rule" {
    for_each = local.managed
    content {
      name     = rule.key
      priority = rule.value.priority

      override_action {
        dynamic "none" {
          for_each = local.counts[rule.key] ? [] : [true]
          content {}
        }
        dynamic "count" {
          for_each = local.counts[rule.key] ? [true] : []
          content {}
        }
      }

      statement {
        managed_rule_group_statement {
          vendor_name = "AWS"
          name        = rule.value.group
          version     = lookup(var.waf.versions, rule.key, null)

          dynamic "rule_action_override" {
            for_each = lookup(var.waf.count_rules, rule.key, [])
            content {
              name = rule_action_override.value
              action_to_use {
                count {}
              }
            }
          }

          scope_down_statement {
            not_statement {
              statement {
                byte_match_statement {
                  search_string         = var.waf.webhook_path
                  positional_constraint = "EXACTLY"
                  field_to_match {
                    uri_path {}
                  }
                  text_transformation {
                    priority = 0
                    type     = "NONE"
                  }
                }
              }
            }
          }
        }
      }

      visibility_config {
        metric_name                = rule.key
        cloudwatch_metrics_enabled = true
        sampled_requests_enabled   = false
      }
    }
  }

  # Samples cannot be redacted and would show the handshake's token for three hours; the log has
  # everything that was not simply let through.
  # https://docs.aws.amazon.com/waf/latest/developerguide/logging-management-redact.html
  visibility_config {
    metric_name                = var.name
    cloudwatch_metrics_enabled = true
    sampled_requests_enabled   = false
  }
}

resource "aws_wafv2_web_acl_association" "load_balancer" {
  resource_arn = var.load_balancer_arn
  web_acl_arn  = aws_wafv2_web_acl.this.arn
}
