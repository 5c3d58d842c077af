# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html
locals {
  database_metrics = {
    for id, metric in {
      cpu             = ["CPUUtilization", "Average"]
      cpu_credits     = ["CPUCreditBalance", "Minimum"]
      free_storage    = ["FreeStorageSpace", "Minimum"]
      free_memory     = ["FreeableMemory", "Average"]
      connections     = ["DatabaseConnections", "Maximum"]
      transaction_ids = ["MaximumUsedTransactionIDs", "Maximum"]
      disk_queue      = ["DiskQueueDepth", "Average"]
      read_latency    = ["ReadLatency", "Average"]
      write_latency   = ["WriteLatency", "Average"]
    } :
    id => { namespace = "AWS/RDS", name = metric[0], stat = metric[1], dimensions = { DBInstanceIdentifier = var.database.identifier } }
  }
  gibibyte = 1024 * 1024 * 1024
  # Only the burstable classes live on credits: db.t3, db.t4g.
  burstable = startswith(var.database.instance_class, "db.t")

  database_alarms = { for key, alarm in {
    database-cpu = {
      severity  = "warning"
      means     = "The database uses more than ${var.thresholds.database_cpu_percent} % of its CPU."
      first     = "Performance Insights shows the statements; a new one came with a release."
      metric    = local.database_metrics.cpu
      period    = 300
      periods   = 3
      threshold = var.thresholds.database_cpu_percent
      missing   = "missing" # an instance that runs writes it every minute
    }
    # A new instance begins without credits and earns the first ten within the hour.
    database-cpu-credits = {
      severity   = "warning"
      means      = "The database has used up its CPU credits for two hours: from now on it is slow, or costs extra."
      first      = "find what needs the CPU (database-cpu); if it is simply traffic, a larger postgres.instance_class."
      metric     = local.database_metrics.cpu_credits
      period     = 300
      periods    = 24
      comparison = "LessThanThreshold"
      threshold  = 10
      missing    = "notBreaching" # database-cpu watches for silence
    }
    database-storage = {
      severity   = "critical"
      means      = "Less than 5 % of the database's storage is free: full, it stops, and its own growth has not helped."
      first      = "raise postgres.storage_gb (and max_storage_gb) and apply; then see what grew, WAL of a forgotten replication slot among it."
      metric     = local.database_metrics.free_storage
      period     = 300
      periods    = 1
      comparison = "LessThanThreshold"
      threshold  = var.database.storage_gb * local.gibibyte * 0.05
      missing    = "notBreaching" # database-cpu watches for silence
    }
    database-storage-low = {
      severity   = "warning"
      means      = "Less than 15 % of the database's storage is free; below 10 % RDS adds more, up to max_storage_gb, at most once in six hours."
      first      = "see how fast it falls, and that max_storage_gb has room."
      metric     = local.database_metrics.free_storage
      period     = 300
      periods    = 3
      comparison = "LessThanThreshold"
      threshold  = var.database.storage_gb * local.gibibyte * 0.15
      missing    = "notBreaching" # database-cpu watches for silence
    }
    database-memory = {
      severity   = "warning"
      means      = "Less than ${var.thresholds.database_free_memory_mb} MB of the database's memory can be freed: soon it swaps, or a backend is killed."
      first      = "count connections and look for large sorts; else a larger postgres.instance_class."
      metric     = local.database_metrics.free_memory
      period     = 300
      periods    = 3
      comparison = "LessThanThreshold"
      threshold  = var.thresholds.database_free_memory_mb * 1024 * 1024
      missing    = "notBreaching" # database-cpu watches for silence
    }
    database-connections = {
      severity  = "warning"
      means     = "More than ${var.thresholds.database_connections} connections to the database: at max_connections new tasks cannot work."
      first     = "SELECT state, count(*) FROM pg_stat_activity GROUP BY 1: idle ones are a pool too large for the number of tasks."
      metric    = local.database_metrics.connections
      period    = 60
      periods   = 5
      threshold = var.thresholds.database_connections
      missing   = "notBreaching" # database-cpu watches for silence
    }
    # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Autovacuum.html
    database-transaction-ids = {
      severity  = "warning"
      means     = "One thousand million transaction ids are in use: at two thousand million PostgreSQL takes no more writes."
      first     = "find what holds vacuum back: old transactions, prepared ones, replication slots."
      metric    = local.database_metrics.transaction_ids
      period    = 300
      periods   = 1
      threshold = 1000000000
      missing   = "notBreaching" # database-cpu watches for silence
    }
    database-disk-queue = {
      severity  = "warning"
      means     = "For a quarter of an hour more than ${var.thresholds.database_disk_queue} reads and writes have waited for the disk."
      first     = "compare read and write IOPS with the volume's; a vacuum or a backup ends by itself, a sequential scan wants an index."
      metric    = local.database_metrics.disk_queue
      period    = 300
      periods   = 3
      threshold = var.thresholds.database_disk_queue
      missing   = "notBreaching" # database-cpu watches for silence
    }
  } : key => alarm if local.burstable || key != "database-cpu-credits" }
}
