# https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.Redis.html
locals {
  # ElastiCache names the nodes of a group so, and writes metrics by node.
  cache_nodes = { for index in range(var.cache.nodes) : format("%03d", index + 1) => {
    CacheClusterId = format("%s-%03d", var.cache.replication_group_id, index + 1)
    CacheNodeId    = "0001"
  } }

  cache_alarms = merge([for node, dimensions in local.cache_nodes : { for key, alarm in {
    engine-cpu = {
      severity  = "warning"
      means     = "The cache's engine, which has one thread for commands, is more than ${var.thresholds.cache_cpu_percent} % busy."
      first     = "SLOWLOG GET 25 shows the commands; KEYS or large values are the usual reason."
      metric    = { namespace = "AWS/ElastiCache", name = "EngineCPUUtilization", stat = "Average", dimensions = dimensions }
      period    = 300
      periods   = 3
      threshold = var.thresholds.cache_cpu_percent
      missing   = "missing" # a node that runs writes it every minute
    }
    memory = {
      severity  = "warning"
      means     = "The cache has used more than ${var.thresholds.cache_memory_percent} % of its memory: full, it evicts sessions, or refuses writes."
      first     = "see which keys have no expiry; else a larger cache.node_type."
      metric    = { namespace = "AWS/ElastiCache", name = "DatabaseMemoryUsagePercentage", stat = "Maximum", dimensions = dimensions }
      period    = 300
      periods   = 3
      threshold = var.thresholds.cache_memory_percent
      missing   = "notBreaching" # engine-cpu watches for silence
    }
    evictions = {
      severity  = "warning"
      means     = "The cache drops sessions before their time for want of memory: customers in the middle of a booking begin again."
      first     = "as for cache-memory."
      metric    = { namespace = "AWS/ElastiCache", name = "Evictions", stat = "Sum", dimensions = dimensions }
      period    = 300
      periods   = 3
      threshold = 0
      missing   = "notBreaching" # engine-cpu watches for silence
    }
    connections = {
      severity  = "warning"
      means     = "More than ${var.thresholds.cache_connections} connections to the cache: somebody opens and does not close."
      first     = "CLIENT LIST shows from where and for how long idle."
      metric    = { namespace = "AWS/ElastiCache", name = "CurrConnections", stat = "Maximum", dimensions = dimensions }
      period    = 300
      periods   = 3
      threshold = var.thresholds.cache_connections
      missing   = "notBreaching" # engine-cpu watches for silence
    }
    replication-lag = {
      severity  = "warning"
      means     = "A replica of the cache is more than ${var.thresholds.cache_lag_seconds} s behind: a failover now loses that much."
      first     = "see the network and CPU of both nodes; a node too small for the writes needs a larger cache.node_type."
      metric    = { namespace = "AWS/ElastiCache", name = "ReplicationLag", stat = "Maximum", dimensions = dimensions }
      period    = 60
      periods   = 5
      threshold = var.thresholds.cache_lag_seconds
      missing   = "notBreaching" # only replicas write it, and which node is one changes with a failover
    }
  } : "cache-${key}-${node}" => merge(alarm, { runbook = "cache-${key}" }) if var.cache.nodes > 1 || key != "replication-lag" }]...)
}
