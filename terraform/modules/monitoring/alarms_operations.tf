# What the runbooks themselves write: Lyo/Backup by backup.yml and drill.yml (docs/runbooks/backup.md),
# Lyo/Operations by every runbook that runs in the ops image or by a timer (docs/schedules.md).
locals {
  # Of each runbook: 1 for a success, 0 for a failure.
  runbook_metrics = { for runbook in ["backup", "drift", "drill"] : runbook => {
    namespace  = "Lyo/Operations"
    name       = "Succeeded"
    dimensions = { Environment = try(var.backups.environment, ""), Runbook = "${runbook}.yml" }
  } }

  logical_backup_alarms = { for key, alarm in merge(
    { for kind in ["logical", "snapshot", "cache"] : "backup-stale-${kind}" => {
      severity = "warning"
      runbook  = "backup-stale"
      means    = "The newest backup of kind ${kind} is older than a day and two hours."
      first    = "the log of the last backup.yml says why; then ansible-playbook backup.yml."
      metric   = { namespace = "Lyo/Backup", name = "AgeSeconds", stat = "Maximum", dimensions = { Environment = try(var.backups.environment, ""), Kind = kind } }
      # Written once a day: any of the last day's counts.
      period     = 3600
      periods    = 24
      datapoints = 1
      threshold  = 93600
      missing    = "notBreaching" # that backup.yml ran at all is schedule-missed's
    } },
    {
      backup-unverified = {
        severity   = "critical"
        means      = "The newest logical backup is not verified: it could not be restored, differs from its manifest, or was not tried."
        first      = "ansible-playbook status.yml says which; take another at once: ansible-playbook backup.yml."
        metric     = { namespace = "Lyo/Backup", name = "Verified", stat = "Minimum", dimensions = { Environment = try(var.backups.environment, ""), Kind = "logical" } }
        period     = 3600
        periods    = 24
        datapoints = 1
        comparison = "LessThanThreshold"
        threshold  = 1
        missing    = "notBreaching" # written only when something was verified
      }
    },
  ) : key => alarm if var.backups != null }

  schedule_alarms = merge(
    # Of those that run daily: an hour without a success counts as one without.
    { for runbook in ["backup", "drift"] : "schedule-missed-${runbook}" => {
      severity   = "warning"
      runbook    = "schedule-missed"
      means      = "${runbook}.yml has not succeeded for ${var.schedules.missed_hours[runbook]} hours: its schedule did not run, or it failed."
      first      = "the log group of operations, and the queue of starts that failed; then ansible-playbook ${runbook}.yml."
      metric     = merge(local.runbook_metrics[runbook], { stat = "Sum" })
      period     = 3600
      periods    = var.schedules.missed_hours[runbook]
      comparison = "LessThanThreshold"
      threshold  = 1
      missing    = "breaching" # silence is what it is about; it rings until the first success
    } if local.scheduled },
    # CloudWatch looks back a week at most, so the daily ones write down how old the last drill is.
    { for runbook in ["drill"] : "schedule-missed-${runbook}" => {
      severity   = "warning"
      runbook    = "schedule-missed"
      means      = "${runbook}.yml has not succeeded for ${var.schedules.missed_hours[runbook]} hours: its schedule did not run, or it failed."
      first      = "the log group of operations, and the queue of starts that failed; then ansible-playbook ${runbook}.yml."
      metric     = merge(local.runbook_metrics[runbook], { name = "SecondsSinceSuccess", stat = "Maximum" })
      period     = 3600
      periods    = 24
      datapoints = 1
      threshold  = var.schedules.missed_hours[runbook] * 3600
      missing    = "notBreaching" # the daily runs that write it have alarms of their own
    } if local.scheduled },
    { for name in ["schedule-failed"] : name => {
      severity = "warning"
      means    = "EventBridge Scheduler could not start a runbook's task."
      first    = "the queue ${var.schedules.queue_name} holds the reason (ERROR_MESSAGE); is there an ops image? ansible-playbook ops_image.yml."
      queries = {
        errors  = { metric = merge(local.scheduler_metric, { name = "TargetErrorCount" }) }
        dropped = { metric = merge(local.scheduler_metric, { name = "InvocationDroppedCount" }) }
        value   = { label = "Starts that failed", expression = "FILL(errors, 0) + FILL(dropped, 0)" }
      }
      period    = 300
      periods   = 1
      threshold = 0
      missing   = "notBreaching" # written only when a schedule is due
    } if try(var.schedules.run_by, "nobody") == "eventbridge" },
    { for name in ["runbook-failed"] : name => {
      severity = "warning"
      means    = "A runbook that runs by itself has failed; for drift.yml: something was changed outside of Terraform."
      first    = "the log group of operations has its last lines; type the same by hand."
      queries = merge(
        { for runbook, metric in local.runbook_metrics : runbook => { metric = merge(metric, { stat = "Minimum" }) } },
        { value = { label = "Failed", expression = "3 - FILL(backup, 1) - FILL(drift, 1) - FILL(drill, 1)" } },
      )
      period    = 3600
      periods   = 1
      threshold = 0
      missing   = "notBreaching" # written only when one has run
    } if local.scheduled },
  )

  scheduled        = contains(["eventbridge", "systemd"], try(var.schedules.run_by, "nobody"))
  scheduler_metric = { namespace = "AWS/Scheduler", stat = "Sum", dimensions = { ScheduleGroup = try(var.schedules.group, "") } }
}
