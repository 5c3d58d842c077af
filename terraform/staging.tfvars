# Staging: production's shape, one of each where production has two, and gone without a trace.
environment          = "staging"
account_id           = "000000000000" # the account of inventories/staging
region               = "eu-south-1"
domain               = "staging.lyo.example"
secret_recovery_days = 0

network = { nat_gateways = 1 }

postgres = {
  multi_az              = false
  backup_retention_days = 1
  deletion_protection   = false
  final_snapshot        = ""
  apply_immediately     = true
  monitoring_interval   = 0
  # As in production; password_rotation_days = 7 would try the lock-out every week.
  password_rotation_days = 365
}

# Small: RDS's own backups do for data that can be made again.
backup = { enabled = false }

cache = {
  nodes             = 1
  snapshot_days     = 1
  final_snapshot    = ""
  apply_immediately = true
}

load_balancer = {
  deletion_protection = false
  access_log_days     = 14
  force_destroy       = true
}

operations = {
  log_days = 14
  backups  = { lock_days = 1, noncurrent_days = 1, force_destroy = true }
  # schedules = { run_by = "eventbridge" } once ops_image.yml has run: see docs/schedules.md
}

scaling   = { min = 1, max = 2 }
registry  = { force_delete = true }
dashboard = { force_destroy = true }
alerts    = { warning = [{ protocol = "email", endpoint = "staging@lyo.example" }], key_deletion_days = 7 }
budget    = { monthly_usd = 100 }

waf = { log_days = 14 }

# Needs an account of its own: where production's detector is in the same account and region, or an
# organization's, say enabled = false.
guardduty = {
  features = {
    s3_data_events   = false
    rds_login_events = false
  }
}
