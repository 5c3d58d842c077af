# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-metrics-ECS.html
locals {
  service_dimensions = { ClusterName = var.service.cluster_name, ServiceName = var.service.name }
  service_metrics = {
    for id, metric in {
      cpu     = ["AWS/ECS", "CPUUtilization", "Average"]
      memory  = ["AWS/ECS", "MemoryUtilization", "Average"]
      running = ["ECS/ContainerInsights", "RunningTaskCount", "Minimum"]
      desired = ["ECS/ContainerInsights", "DesiredTaskCount", "Minimum"]
    } :
    id => { namespace = metric[0], name = metric[1], stat = metric[2], dimensions = local.service_dimensions }
  }

  service_alarms = { for key, alarm in {
    service-cpu = {
      severity  = "warning"
      means     = "The tasks use more than ${var.thresholds.service_cpu_percent} % of their CPU although more may be started."
      first     = "see whether tasks are at their maximum (service-at-maximum), and what traffic did."
      metric    = local.service_metrics.cpu
      period    = 300
      periods   = 3
      threshold = var.thresholds.service_cpu_percent
      missing   = "notBreaching" # written while tasks run; tasks-below-minimum says when none do
    }
    service-memory = {
      severity  = "warning"
      means     = "The tasks use more than ${var.thresholds.service_memory_percent} % of their memory: at 100 % they are killed."
      first     = "a slope that began with a release is a leak: roll back, or raise service.memory and apply."
      metric    = local.service_metrics.memory
      period    = 300
      periods   = 3
      threshold = var.thresholds.service_memory_percent
      missing   = "notBreaching" # as for service-cpu
    }
    tasks-below-minimum = {
      severity = "critical"
      means    = "For five minutes fewer tasks run than the ${var.service.minimum} that must: they stop faster than ECS starts them, or cannot start."
      first    = "read the reasons of the stopped tasks in the service's events: image, secret, memory, health check."
      # Nothing is wanted before the first release.
      queries = {
        running = { metric = local.service_metrics.running }
        desired = { metric = local.service_metrics.desired }
        value   = { label = "Tasks missing", expression = "IF(desired > 0, ${var.service.minimum} - running, 0)" }
      }
      period    = 60
      periods   = 5
      threshold = 0
      missing   = "missing" # Container Insights counts a service at every minute, once it has a task
    }
    service-at-maximum = {
      severity   = "warning"
      means      = "The service has run its ${var.service.maximum} tasks, the maximum, for half an hour: it cannot grow further."
      first      = "if traffic is real raise scaling.max (and the database's connections with it); else find what makes requests slow."
      metric     = local.service_metrics.running
      period     = 300
      periods    = 6
      comparison = "GreaterThanOrEqualToThreshold"
      threshold  = var.service.maximum
      missing    = "notBreaching" # tasks-below-minimum watches for silence
    }
    } : key => alarm
    # A service of a fixed size is always at its maximum.
    if contains(["service-cpu", "service-memory"], key) || var.service.insights && (key != "service-at-maximum" || var.service.maximum > var.service.minimum)
  }
}

# A deployment that failed says so by an event; ECS sends it with the circuit breaker on.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_deployment_events.html
resource "aws_cloudwatch_event_rule" "deployment_failed" {
  name        = "${var.name}-deployment-failed"
  description = "A deployment of the service ${var.service.name} failed"
  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Deployment State Change"]
    resources   = ["arn:aws:ecs:${var.region}:${var.account_id}:service/${var.service.cluster_name}/${var.service.name}"]
    detail      = { eventName = ["SERVICE_DEPLOYMENT_FAILED"] }
  })
}

resource "aws_cloudwatch_event_target" "deployment_failed" {
  rule      = aws_cloudwatch_event_rule.deployment_failed.name
  target_id = "warning"
  arn       = aws_sns_topic.regional["warning"].arn

  input_transformer {
    input_paths = {
      deployment = "$.detail.deploymentId"
      reason     = "$.detail.reason"
      at         = "$.detail.updatedAt"
    }
    input_template = "\"${var.service.name}: a deployment failed at <at>. <reason> (deployment <deployment>). First: ansible-playbook verify.yml says what serves now (docs/runbooks/deploy.md).\""
  }
}
