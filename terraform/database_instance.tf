# Which RDS instance serves, and which are kept beside it. Terraform makes the parameter and leaves its
# value to restore.yml, whose write is what switches: docs/decisions/restore.md.
resource "aws_ssm_parameter" "database" {
  #checkov:skip=CKV2_AWS_34:identifiers and addresses, nothing secret
  name           = "/lyo/${var.environment}/database"
  description    = "Which database of ${local.name} serves: written by restore.yml"
  type           = "String"
  insecure_value = jsonencode({ serving = local.name, kept = [] })

  lifecycle {
    ignore_changes = [insecure_value]
  }
}

locals {
  database = jsondecode(aws_ssm_parameter.database.insecure_value)
  # One that Terraform has made is known by its place, the others by their name.
  database_key = {
    for identifier in distinct(concat([local.database.serving], local.database.kept)) :
    identifier => identifier == local.name ? "first" : identifier
  }
  database_instances = { for identifier, key in local.database_key : key => identifier }
}

# What restore.yml has made becomes Terraform's with the plan that follows.
import {
  for_each = { for key, identifier in local.database_instances : key => identifier if key != "first" }
  to       = module.database.aws_db_instance.this[each.key]
  id       = each.value
}
