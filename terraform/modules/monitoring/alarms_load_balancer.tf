# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
locals {
  load_balancer_metrics = {
    for id, metric in {
      requests    = ["RequestCount", "Sum"]
      unrouted    = ["HTTPCode_ELB_503_Count", "Sum"]
      own_5xx     = ["HTTPCode_ELB_5XX_Count", "Sum"]
      target_5xx  = ["HTTPCode_Target_5XX_Count", "Sum"]
      p50_latency = ["TargetResponseTime", "p50"]
      p99_latency = ["TargetResponseTime", "p99"]
      rejected    = ["RejectedConnectionCount", "Sum"]
    } :
    id => { namespace = "AWS/ApplicationELB", name = metric[0], stat = metric[1], dimensions = { LoadBalancer = var.load_balancer.arn_suffix } }
  }
  # Which group serves changes with every release: both count.
  target_groups = {
    for colour, suffix in var.load_balancer.target_group_arn_suffixes :
    colour => { LoadBalancer = var.load_balancer.arn_suffix, TargetGroup = suffix }
  }
  # The most that any of the load balancer's nodes sees.
  unhealthy_queries = { for colour, dimensions in local.target_groups : colour => {
    metric = { namespace = "AWS/ApplicationELB", name = "UnHealthyHostCount", stat = "Maximum", dimensions = dimensions }
  } }
  steadily_unhealthy_queries = { for colour, query in local.unhealthy_queries :
    colour => { metric = merge(query.metric, { stat = "Minimum" }) }
  }
  healthy_queries = { for colour, dimensions in local.target_groups : colour => {
    metric = { namespace = "AWS/ApplicationELB", name = "HealthyHostCount", stat = "Maximum", dimensions = dimensions }
  } }
  both_groups = join(" + ", [for colour in sort(keys(local.target_groups)) : "FILL(${colour}, 0)"])

  load_balancer_alarms = {
    load-balancer-5xx = {
      severity  = "warning"
      means     = "The load balancer itself answers 5xx: no healthy target, or targets that close connections or are too slow."
      first     = "see which codes and which targets in the access logs, and the tasks' last events."
      metric    = local.load_balancer_metrics.own_5xx
      period    = 300
      periods   = 1
      threshold = var.thresholds.load_balancer_5xx
      missing   = "notBreaching" # written only when there are any
    }
    target-5xx = {
      severity = "warning"
      means    = "The application answers more than ${var.thresholds.target_5xx_percent} % of requests with 5xx."
      first    = "read the application's log group; if it began with a release, ansible-playbook rollback.yml."
      queries = {
        requests = { metric = local.load_balancer_metrics.requests }
        errors   = { metric = local.load_balancer_metrics.target_5xx }
        value    = { label = "% of requests", expression = "IF(requests >= ${var.thresholds.minimum_requests * 5}, 100 * FILL(errors, 0) / requests, 0)" }
      }
      period    = 300
      periods   = 3
      threshold = var.thresholds.target_5xx_percent
      missing   = "notBreaching" # no request, no error; the outside probe watches for silence
    }
    latency = {
      severity = "warning"
      means    = "One request in a hundred takes longer than ${var.thresholds.latency_seconds} s, every request of the webhook among them."
      first    = "compare tasks' CPU, database CPU and connections on the dashboard: what rose with it is where to look."
      queries = {
        requests = { metric = local.load_balancer_metrics.requests }
        p99      = { metric = local.load_balancer_metrics.p99_latency }
        value    = { label = "p99 in seconds", expression = "IF(requests >= ${var.thresholds.minimum_requests * 5}, p99, 0)" }
      }
      period     = 300
      periods    = 5
      datapoints = 3
      threshold  = var.thresholds.latency_seconds
      missing    = "notBreaching" # no request, no latency
    }
    unhealthy-hosts = {
      severity  = "warning"
      means     = "A task has failed the load balancer's health checks for ten minutes, and was not replaced."
      first     = "see the target's reason in its target group, and the service's events."
      queries   = merge(local.unhealthy_queries, { value = { label = "Unhealthy targets", expression = local.both_groups } })
      period    = 60
      periods   = 10
      threshold = 0
      missing   = "notBreaching" # a group without targets writes nothing
    }
    no-healthy-host = {
      severity   = "critical"
      means      = "No task is healthy: every request fails, or the load balancer has stopped to count."
      first      = "ansible-playbook verify.yml says what fails; after a release, ansible-playbook rollback.yml."
      queries    = merge(local.healthy_queries, { value = { label = "Healthy targets", expression = local.both_groups } })
      period     = 60
      periods    = 3
      comparison = "LessThanThreshold"
      threshold  = 1
      missing    = "missing" # nothing is written before the first release, and again when all targets are gone
    }
    rejected-connections = {
      severity  = "warning"
      means     = "The load balancer refuses connections: it has as many as it can."
      first     = "see who connects (active connections, WAF); raise no limit before that."
      metric    = local.load_balancer_metrics.rejected
      period    = 300
      periods   = 1
      threshold = 0
      missing   = "notBreaching" # written only when there are any
    }
  }

  # What an ECS deployment watches while it bakes. Short, and still without traffic: below the minimum
  # of requests there is no ratio to speak of. They tell ECS, and ECS's event tells people.
  # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html
  release_alarms = {
    release-5xx = {
      severity = null
      runbook  = "target-5xx"
      means    = "Watched by deployments: blue or green answers more than ${var.thresholds.target_5xx_percent} % of its requests with 5xx."
      first    = "nothing, ECS turns the deployment back; deploy.yml says so."
      # Each group by itself: a canary's errors are few among all requests, and many among its own.
      queries = merge(concat([for colour, dimensions in local.target_groups : {
        "${colour}_requests" = { metric = { namespace = "AWS/ApplicationELB", name = "RequestCount", stat = "Sum", dimensions = dimensions } }
        "${colour}_errors"   = { metric = { namespace = "AWS/ApplicationELB", name = "HTTPCode_Target_5XX_Count", stat = "Sum", dimensions = dimensions } }
        "${colour}_percent" = {
          label      = "% of requests to ${colour}"
          expression = "IF(FILL(${colour}_requests, 0) >= ${var.thresholds.minimum_requests}, 100 * FILL(${colour}_errors, 0) / ${colour}_requests, 0)"
        }
        }], [{
        value = { label = "% of requests to the worse group", expression = "MAX([${join(", ", [for colour in sort(keys(local.target_groups)) : "FILL(${colour}_percent, 0)"])}])" }
      }])...)
      period    = 60
      periods   = 2
      threshold = var.thresholds.target_5xx_percent
      missing   = "notBreaching" # no request, no error
    }
    release-latency = {
      severity = null
      runbook  = "latency"
      means    = "Watched by deployments: one request in a hundred takes longer than ${var.thresholds.latency_seconds} s."
      first    = "nothing, ECS turns the deployment back; deploy.yml says so."
      queries = {
        requests = { metric = local.load_balancer_metrics.requests }
        p99      = { metric = local.load_balancer_metrics.p99_latency }
        value    = { label = "p99 in seconds", expression = "IF(requests >= ${var.thresholds.minimum_requests}, p99, 0)" }
      }
      period    = 60
      periods   = 3
      threshold = var.thresholds.latency_seconds
      missing   = "notBreaching" # no request, no latency
    }
    release-unhealthy = {
      severity = null
      runbook  = "unhealthy-hosts"
      means    = "Watched by deployments: a task has failed the load balancer's health checks for three minutes."
      first    = "nothing, ECS turns the deployment back; deploy.yml says so."
      # The least of each minute: the most of it would count three minutes from what began in one, went on
      # through the next and ended in the third, and turn back a release that only starts slowly.
      queries   = merge(local.steadily_unhealthy_queries, { value = { label = "Unhealthy targets", expression = local.both_groups } })
      period    = 60
      periods   = 3
      threshold = 0
      missing   = "notBreaching" # a group without targets writes nothing
    }
  }
}
