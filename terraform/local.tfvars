# The local cloud: production's stack at its smallest, and nothing kept at its end.
environment          = "local"
account_id           = "123456789012"
region               = "eu-south-1"
domain               = "local.lyo-prenota.it" # certificates are validated by its records, as in AWS
public_dns           = false                  # but nothing resolves the local cloud's names
public_https_port    = 10443                  # 443 needs root; the local cloud serves it 10,000 higher
secret_recovery_days = 0

# The local cloud answers with an error where AWS would; trying 25 times only hides it.
provider_settings = {
  max_retries       = 5
  s3_use_path_style = true
}

network = {
  nat_gateways        = 1
  interface_endpoints = ["ecr.api", "ecr.dkr", "logs", "secretsmanager"]
  test_listener_cidrs = ["127.0.0.0/8"]
}

postgres = {
  multi_az               = false
  force_ssl              = false # the local PostgreSQL is built without TLS
  deletion_protection    = false
  final_snapshot         = ""
  apply_immediately      = true
  password_rotation_days = 365
}

cache = {
  nodes              = 1
  transit_encryption = false # the local Valkey is built without TLS
  final_snapshot     = ""
  apply_immediately  = true
}

load_balancer = {
  deletion_protection = false
  force_destroy       = true
}

# Here 18 seconds: the clock runs ten times as fast in the tests, and a program does not start faster.
service = { grace_seconds = 180 }

registry  = { force_delete = true }
dashboard = { force_destroy = true }
alerts    = { key_deletion_days = 7 }

# A lock is tried here too; what it locks goes with the environment all the same. The ops image has no
# schedule to run until somebody asks for it: see docs/schedules.md.
operations = {
  backups = { lock_days = 1, noncurrent_days = 1, force_destroy = true }
}

# The reference application has a path that is slow on purpose, and the load tests ask for it.
thresholds = { latency_seconds = 10 }

# Nothing is watched here and nothing costs: every feature, so that each is applied once.
guardduty = {
  features = {
    runtime_monitoring = true
    ebs_malware        = true
    lambda_network     = true
    eks_audit_logs     = true
  }
}
