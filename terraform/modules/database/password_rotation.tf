# RDS rotates the password itself, every 7 days unless told otherwise. Without this resource nothing
# would say how often; destroying it turns the rotation off.
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_managed.html
resource "aws_secretsmanager_secret_rotation" "postgres" {
  #checkov:skip=CKV_AWS_304:Tasks read the password once, at their start: each rotation is an outage for new connections until they are replaced, so it is rare and planned
  # One for each: the secret of a former instance goes with it, its rotation need not be cancelled before.
  for_each = aws_db_instance.this

  secret_id          = each.value.master_user_secret[0].secret_arn
  rotate_immediately = false

  rotation_rules {
    automatically_after_days = var.postgres.password_rotation_days
  }
}

moved {
  from = aws_secretsmanager_secret_rotation.postgres
  to   = aws_secretsmanager_secret_rotation.postgres["first"]
}
