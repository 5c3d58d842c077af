# https://docs.aws.amazon.com/aws-backup/latest/devguide/cloudwatch.html
locals {
  backup_metrics = {
    for id, name in {
      completed   = "NumberOfBackupJobsCompleted"
      failed      = "NumberOfBackupJobsFailed"
      expired     = "NumberOfBackupJobsExpired"
      aborted     = "NumberOfBackupJobsAborted"
      copy_failed = "NumberOfCopyJobsFailed"
    } :
    id => { namespace = "AWS/Backup", name = name, stat = "Sum", dimensions = { BackupVaultName = var.backup_vault_name } }
  }

  backup_alarms = { for key, alarm in {
    backup-failed = {
      severity = "warning"
      means    = "A backup of the database, or its copy to the other region, failed, was aborted or never began in its window."
      first    = "AWS Backup's list of jobs has the reason; start the backup again by hand."
      queries = {
        failed      = { metric = local.backup_metrics.failed }
        expired     = { metric = local.backup_metrics.expired }
        aborted     = { metric = local.backup_metrics.aborted }
        copy_failed = { metric = local.backup_metrics.copy_failed }
        value       = { label = "Jobs without a backup", expression = "FILL(failed, 0) + FILL(expired, 0) + FILL(aborted, 0) + FILL(copy_failed, 0)" }
      }
      period    = 300
      periods   = 1
      threshold = 0
      missing   = "notBreaching" # written only when a job ends so
    }
    # By hours, not by one period of 26: CloudWatch fetches more periods than it evaluates, so a
    # single long one would be answered by the backup before.
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    backup-age = {
      severity   = "critical"
      means      = "No backup of the database was finished within 26 hours."
      first      = "AWS Backup's list of jobs has the reason; start a backup by hand. Point-in-time recovery by RDS itself is not affected."
      metric     = local.backup_metrics.completed
      period     = 3600
      periods    = 26
      comparison = "LessThanThreshold"
      threshold  = 1
      missing    = "missing" # hours without a job write nothing; before the first there is nothing to be old
    }
  } : key => alarm if var.backup_vault_name != null }
}
