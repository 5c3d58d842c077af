# Planned by the provider itself, which calls nobody for resources that are new: policies as they are
# written. tests/terraform/test_monitoring.py reads them.

provider "aws" {
  region                      = "eu-south-1"
  access_key                  = "nobody"
  secret_key                  = "nobody"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

provider "aws" {
  alias                       = "us_east_1"
  region                      = "us-east-1"
  access_key                  = "nobody"
  secret_key                  = "nobody"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
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
  web_acl_name      = "lyo-test"
}

run "policies" {
  command = plan
  module {
    source = "./modules/monitoring"
  }
}
