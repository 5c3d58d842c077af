# A backup that was never restored is a hope. AWS restores the newest recovery point on a schedule,
# keeps the instance for as long as it may be looked at, and deletes it.
# https://docs.aws.amazon.com/aws-backup/latest/devguide/restore-testing.html

locals {
  restore_tests = var.backup.enabled && var.backup.restore_test.enabled ? 1 : 0
  # These names may have no hyphen.
  restore_test_name = replace(var.name, "-", "_")
}

resource "aws_backup_restore_testing_plan" "this" {
  count = local.restore_tests

  name                = local.restore_test_name
  schedule_expression = var.backup.restore_test.schedule
  start_window_hours  = 4

  recovery_point_selection {
    algorithm             = "LATEST_WITHIN_WINDOW"
    include_vaults        = [aws_backup_vault.this[0].arn]
    recovery_point_types  = ["SNAPSHOT"]
    selection_window_days = var.backup.restore_test.newest_days
  }
}

resource "aws_backup_restore_testing_selection" "this" {
  count = local.restore_tests

  name                      = "${local.restore_test_name}_database"
  restore_testing_plan_name = aws_backup_restore_testing_plan.this[0].name
  protected_resource_type   = "RDS"
  protected_resource_arns   = [local.serving.arn]
  iam_role_arn              = aws_iam_role.restore_testing[0].arn
  validation_window_hours   = var.backup.restore_test.keep_hours

  # Without them AWS would restore into the account's default VPC, or fail where there is none.
  # https://docs.aws.amazon.com/aws-backup/latest/devguide/restore-testing-inferred-metadata.html
  restore_metadata_overrides = {
    dbSubnetGroupName    = aws_db_subnet_group.this.name
    vpcSecurityGroupIds  = jsonencode([aws_security_group.restore_testing[0].id])
    dbParameterGroupName = aws_db_parameter_group.this.name
    multiAz              = "false"
    publiclyAccessible   = "false"
  }

  depends_on = [aws_iam_role_policy_attachment.restore_testing]

  lifecycle {
    # The provider's update leaves protected_resource_arns as they are (hashicorp/terraform-provider-aws
    # issue 48316). The selection of the backups is made anew when another instance serves; so is this.
    replace_triggered_by = [aws_backup_selection.this]
  }
}

# No rule at all: the restored copy of the tenants' data reaches nobody and nobody reaches it.
resource "aws_security_group" "restore_testing" {
  #checkov:skip=CKV2_AWS_5:AWS Backup attaches it to the instances that it restores
  count = local.restore_tests

  name        = "${var.name}-restore-testing"
  description = "Instances restored as a test: nothing in, nothing out"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-restore-testing" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_iam_role" "restore_testing" {
  count = local.restore_tests

  name               = "${var.name}-restore-testing"
  description        = "AWS Backup restores backups as a test, and deletes what it restored"
  assume_role_policy = data.aws_iam_policy_document.backup_assume[0].json
}

resource "aws_iam_role_policy_attachment" "restore_testing" {
  count = local.restore_tests

  role       = aws_iam_role.restore_testing[0].name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForRestores"
}
