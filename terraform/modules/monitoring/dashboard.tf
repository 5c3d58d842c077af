# Laid out for somebody who was just woken: what rings and what customers notice on top, then from the
# outside in. Up to three dashboards cost nothing, each more $3 a month.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
locals {
  dashboard_rows = [
    [
      {
        type  = "alarm"
        width = 9
        properties = {
          title  = "What rings"
          sortBy = "stateUpdatedTimestamp"
          states = ["ALARM", "INSUFFICIENT_DATA"]
          alarms = concat(
            [for key, alarm in local.alarms : aws_cloudwatch_metric_alarm.this[key].arn if alarm.severity != null],
            [for alarm in aws_cloudwatch_composite_alarm.slo : alarm.arn],
            var.other_alarm_arns,
          )
        }
      },
      {
        width = 5
        properties = {
          title                = "Requests that succeeded, last 30 days (objective ${var.slo.availability} %)"
          view                 = "singleValue"
          start                = "-P30D"
          end                  = "P0D"
          setPeriodToTimeRange = true
          metrics              = concat(local.dashboard_slo, [[{ id = "availability", label = "%", expression = "100 - IF(total > 0, 100 * bad / total, 0)" }]])
        }
      },
      {
        width = 10
        properties = {
          title       = "Burn rate of the error budget (1: gone in exactly 30 days)"
          metrics     = concat(local.dashboard_slo, [[{ id = "burn", label = "Burn rate", expression = "IF(total > 0, bad / total / ${local.slo_budget}, 0)" }]])
          period      = 300
          annotations = { horizontal = [for name, burn in local.slo_burns : { value = burn.rate, label = name }] }
        }
      },
    ],
    [
      { width = 8, properties = { title = "Requests a minute", metrics = [local.lines.requests] } },
      { width = 8, properties = { title = "Failures a minute", metrics = [local.lines.target_5xx, local.lines.own_5xx, local.lines.rejected] } },
      { width = 8, properties = { title = "Seconds to the answer", metrics = [local.lines.p50_latency, local.lines.p99_latency] } },
    ],
    [
      { width = 8, properties = { title = "Targets", metrics = concat(local.line_groups.healthy, local.line_groups.unhealthy) } },
      { width = 8, properties = { title = "Tasks", metrics = [local.lines.running, local.lines.desired] } },
      { width = 8, properties = { title = "Tasks: % of CPU and memory", metrics = [local.lines.cpu, local.lines.memory] } },
    ],
    [
      { width = 6, properties = { title = "Database: % of CPU", metrics = concat([local.lines.database_cpu], local.line_groups.credits) } },
      { width = 6, properties = { title = "Database: connections, waiting I/O", metrics = [local.lines.database_connections, local.lines.database_disk_queue] } },
      { width = 6, properties = { title = "Database: seconds for a read, a write", metrics = [local.lines.database_read_latency, local.lines.database_write_latency] } },
      { width = 6, properties = { title = "Database: free bytes", metrics = [local.lines.database_free_storage, local.lines.database_free_memory] } },
    ],
    [
      { width = 8, properties = { title = "Cache: % of engine CPU and memory", metrics = concat(local.line_groups.cache_cpu, local.line_groups.cache_memory) } },
      { width = 8, properties = { title = "Cache: evictions, connections", metrics = concat(local.line_groups.cache_evictions, local.line_groups.cache_connections) } },
      { width = 8, properties = { title = "NAT gateways: connections without a port", metrics = local.line_groups.nat } },
    ],
    [
      { width = 12, properties = { title = "WAF: requests a minute", metrics = local.line_groups.web_acl } },
      { width = 12, properties = { title = "Backups: jobs a day", metrics = local.line_groups.backup, period = 86400 } },
    ],
  ]

  # One line of a graph for each metric, and groups of lines whose number depends on the environment.
  lines = { for id, metric in merge(
    local.load_balancer_metrics,
    local.service_metrics,
    { for id, metric in local.database_metrics : "database_${id}" => metric },
  ) : id => concat([metric.namespace, metric.name], flatten([for name in sort(keys(metric.dimensions)) : [name, metric.dimensions[name]]]), [{ stat = metric.stat }]) }

  line_groups = { for group, metrics in {
    healthy           = [for colour, query in local.healthy_queries : { metric = query.metric, label = "healthy, ${colour}" }]
    unhealthy         = [for colour, query in local.unhealthy_queries : { metric = query.metric, label = "unhealthy, ${colour}" }]
    credits           = [for metric in [local.database_metrics.cpu_credits] : { metric = metric, label = "CPU credits" } if local.burstable]
    cache_cpu         = [for node, dimensions in local.cache_nodes : { metric = local.cache_alarms["cache-engine-cpu-${node}"].metric, label = "CPU, ${node}" }]
    cache_memory      = [for node, dimensions in local.cache_nodes : { metric = local.cache_alarms["cache-memory-${node}"].metric, label = "memory, ${node}" }]
    cache_evictions   = [for node, dimensions in local.cache_nodes : { metric = local.cache_alarms["cache-evictions-${node}"].metric, label = "evictions, ${node}" }]
    cache_connections = [for node, dimensions in local.cache_nodes : { metric = local.cache_alarms["cache-connections-${node}"].metric, label = "connections, ${node}" }]
    nat               = [for zone, id in var.nat_gateway_ids : { metric = local.network_alarms["nat-ports-${zone}"].metric, label = zone }]
    # https://docs.aws.amazon.com/waf/latest/developerguide/waf-metrics.html
    web_acl = [for name in ["AllowedRequests", "BlockedRequests"] : {
      metric = { namespace = "AWS/WAFV2", name = name, stat = "Sum", dimensions = { Region = var.region, Rule = "ALL", WebACL = var.web_acl_name } }
      label  = name
    } if var.web_acl_name != null]
    backup = [for id in ["completed", "failed", "copy_failed"] : { metric = local.backup_metrics[id], label = replace(id, "_", " ") } if var.backup_vault_name != null]
    } : group => [
    for line in metrics : concat(
      [line.metric.namespace, line.metric.name],
      flatten([for name in sort(keys(line.metric.dimensions)) : [name, line.metric.dimensions[name]]]),
      [{ stat = line.metric.stat, label = line.label }],
    )
  ] }

  # The SLO's metrics and what is computed of them, none of it drawn.
  dashboard_slo = concat(
    [for id in ["requests", "unrouted", "own", "target"] : concat(
      [local.slo_queries[id].metric.namespace, local.slo_queries[id].metric.name, "LoadBalancer", var.load_balancer.arn_suffix],
      [{ id = id, stat = "Sum", visible = false }],
    )],
    [for id in ["bad", "total"] : [{ id = id, expression = local.slo_queries[id].expression, visible = false }]],
  )
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    start          = "-PT3H"
    periodOverride = "inherit"
    # Rows of six units, each widget beside the one before; one that has nothing to show is left out.
    widgets = flatten([for y, row in local.dashboard_rows : [for index, widget in row : {
      type   = try(widget.type, "metric")
      x      = sum(concat([0], [for other in slice(row, 0, index) : other.width]))
      y      = y * 6
      width  = widget.width
      height = 6
      properties = merge(
        { for name, value in { region = var.region, view = "timeSeries", period = 60 } : name => value if try(widget.type, "metric") == "metric" },
        widget.properties,
      )
    } if length(try(widget.properties.metrics, widget.properties.alarms)) > 0]])
  })
}
