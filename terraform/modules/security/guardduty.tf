# A region has one detector: where an organization owns it, `enabled` is false, and its findings
# still reach this account's event bus.
resource "aws_guardduty_detector" "this" {
  #checkov:skip=CKV2_AWS_3:on in this region; an organization that wants it everywhere sets enabled = false here
  count = var.guardduty.enabled ? 1 : 0

  enable                       = true
  finding_publishing_frequency = var.guardduty.publish_frequency
}

# A new detector turns most of them on by itself, so what is off is said as well.
# https://docs.aws.amazon.com/guardduty/latest/ug/guardduty-features-activation-model.html
locals {
  guardduty_features = {
    S3_DATA_EVENTS = var.guardduty.features.s3_data_events
    # RDS for PostgreSQL is among the databases that it watches.
    # https://docs.aws.amazon.com/guardduty/latest/ug/rds-protection.html
    RDS_LOGIN_EVENTS = var.guardduty.features.rds_login_events
    # Fargate has no EBS volume of ours, and there is no Kubernetes.
    EBS_MALWARE_PROTECTION = var.guardduty.features.ebs_malware
    EKS_AUDIT_LOGS         = var.guardduty.features.eks_audit_logs
    LAMBDA_NETWORK_LOGS    = var.guardduty.features.lambda_network
    RUNTIME_MONITORING     = var.guardduty.features.runtime_monitoring
  }
}

resource "aws_guardduty_detector_feature" "this" {
  for_each = var.guardduty.enabled ? local.guardduty_features : {}

  detector_id = aws_guardduty_detector.this[0].id
  name        = each.key
  status      = each.value ? "ENABLED" : "DISABLED"

  # All three in the order in which AWS shows them, or the provider replaces the feature at every
  # apply. The agent comes into new Fargate tasks by itself; nothing here runs on EC2 or EKS.
  # https://github.com/hashicorp/terraform-provider-aws/issues/36400
  dynamic "additional_configuration" {
    for_each = each.key == "RUNTIME_MONITORING" ? ["EKS_ADDON_MANAGEMENT", "ECS_FARGATE_AGENT_MANAGEMENT", "EC2_AGENT_MANAGEMENT"] : []
    content {
      name   = additional_configuration.value
      status = each.value && additional_configuration.value == "ECS_FARGATE_AGENT_MANAGEMENT" ? "ENABLED" : "DISABLED"
    }
  }
}
