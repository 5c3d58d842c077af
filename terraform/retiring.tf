# What var.retiring turns off, and nothing else: validations of production keep their say about what
# is written in production.tfvars, and final snapshots are taken all the same.
locals {
  postgres      = merge(var.postgres, { deletion_protection = var.retiring ? false : var.postgres.deletion_protection })
  load_balancer = merge(var.load_balancer, { deletion_protection = var.retiring ? false : var.load_balancer.deletion_protection, force_destroy = var.retiring ? true : var.load_balancer.force_destroy })
  registry      = merge(var.registry, { force_delete = var.retiring ? true : var.registry.force_delete })
  dashboard     = merge(var.dashboard, { force_destroy = var.retiring ? true : var.dashboard.force_destroy })
  # Logical backups are what somebody may want back: where they are kept, they stay, and destroy.yml says so.
  logical_backups = var.operations.backups
}
