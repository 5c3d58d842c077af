# Enhanced monitoring: the operating system's view of the instance, in the log group RDSOSMetrics
# that RDS makes for the whole account.
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Monitoring.OS.html

locals {
  enhanced_monitoring = var.postgres.monitoring_interval > 0 ? 1 : 0
}

data "aws_iam_policy_document" "enhanced_monitoring_assume" {
  count = local.enhanced_monitoring

  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["monitoring.rds.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "enhanced_monitoring" {
  count = local.enhanced_monitoring

  name               = "${var.name}-rds-monitoring"
  description        = "RDS writes the operating system's metrics of the instance"
  assume_role_policy = data.aws_iam_policy_document.enhanced_monitoring_assume[0].json
}

resource "aws_iam_role_policy_attachment" "enhanced_monitoring" {
  count = local.enhanced_monitoring

  role       = aws_iam_role.enhanced_monitoring[0].name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
