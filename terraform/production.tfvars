# Production: the modules' defaults, said again where somebody will look for the number.
environment = "production"
account_id  = "000000000000" # the account of inventories/production
region      = "eu-south-1"
domain      = "lyo.example"

network = { nat_gateways = 2 }

postgres = {
  instance_class        = "db.t3.micro"
  multi_az              = true
  backup_retention_days = 14
  deletion_protection   = true
  # A rotation locks running tasks out of new connections: rarely, and followed by a release.
  password_rotation_days = 365
}

backup = {
  daily   = { keep_days = 35 }
  monthly = { keep_days = 365 }
  lock    = { enabled = true, min_days = 7 }
}

cache = {
  node_type          = "cache.t4g.micro"
  nodes              = 2
  snapshot_days      = 7
  transit_encryption = true
}

service = {
  cpu    = 512
  memory = 1024
}

scaling = {
  min = 2
  max = 10
}

operations = {
  backups = { lock_days = 7 }
  # schedules = { run_by = "eventbridge" } once ops_image.yml has run: see docs/schedules.md
}

# Examples: put the addresses of those on call here. A pager's URL goes into a file of its own.
alerts = {
  critical = [{ protocol = "email", endpoint = "oncall@lyo.example" }]
  warning  = [{ protocol = "email", endpoint = "operations@lyo.example" }]
}

slo    = { availability = 99.9 }
budget = { monthly_usd = 177 }

waf = {
  webhook_limit = 100000 # requests of one address in five minutes; Meta has few addresses
  request_limit = 600    # requests of one address in a minute, elsewhere
  log_days      = 90
}

guardduty = {
  features = {
    s3_data_events   = true
    rds_login_events = true
  }
}
