# What the module comes to with everything known; tests/terraform/test_monitoring.py reads it.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_resource "aws_ce_anomaly_monitor" {
    defaults = { arn = "arn:aws:ce::123456789012:anomalymonitor/1" }
  }
}

mock_provider "aws" {
  alias = "us_east_1"
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:123456789012:lyo-test" }
  }
}

override_resource {
  target = aws_sns_topic.regional["critical"]
  values = { arn = "arn:aws:sns:eu-south-1:123456789012:lyo-test-critical" }
}

override_resource {
  target = aws_sns_topic.regional["warning"]
  values = { arn = "arn:aws:sns:eu-south-1:123456789012:lyo-test-warning" }
}


variables {
  name       = "lyo-test"
  region     = "eu-south-1"
  account_id = "123456789012"
  alerts = {
    critical = [{ protocol = "https", endpoint = "https://pager.lyo.example/key" }]
    warning  = [{ protocol = "email", endpoint = "operations@lyo.example" }]
  }
  load_balancer = {
    arn_suffix                = "app/lyo-test/1"
    target_group_arn_suffixes = { blue = "targetgroup/lyo-test-blue/1", green = "targetgroup/lyo-test-green/2" }
  }
  service           = { cluster_name = "lyo-test", name = "lyo-test", minimum = 2, maximum = 10 }
  database          = { identifier = "lyo-test", instance_class = "db.t3.micro", storage_gb = 20 }
  cache             = { replication_group_id = "lyo-test", nodes = 2 }
  nat_gateway_ids   = { eu-south-1a = "nat-1", eu-south-1b = "nat-2" }
  backup_vault_name = "lyo-test"
  backups           = { environment = "test" }
  schedules         = { group = "lyo-test", queue_name = "lyo-test-schedules-not-started", run_by = "eventbridge", missed_hours = { backup = 26, drift = 26, drill = 840 } }
  web_acl_name      = "lyo-test"
  other_alarm_arns  = ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:elsewhere"]
}

run "everything" {
  module {
    source = "./modules/monitoring"
  }
}

# Of each choice the other half.
run "least" {
  module {
    source = "./modules/monitoring"
  }

  variables {
    alerts            = {}
    service           = { cluster_name = "lyo-test", name = "lyo-test", minimum = 1, maximum = 1, insights = false }
    database          = { identifier = "lyo-test", instance_class = "db.m7g.large", storage_gb = 100 }
    cache             = { replication_group_id = "lyo-test", nodes = 1 }
    nat_gateway_ids   = {}
    backup_vault_name = null
    backups           = null
    schedules         = null
    web_acl_name      = null
    other_alarm_arns  = []
    budget            = { anomaly_detection = false }
  }
}
