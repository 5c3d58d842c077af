# The container only: its value comes from Meta's console and is written by the webhooks runbook or
# by hand, as JSON with verify_token, app_secret and app_id.
resource "aws_secretsmanager_secret" "whatsapp" {
  #checkov:skip=CKV2_AWS_57:the value is made in Meta's console; no rotation function can ask for a new one
  name                    = "${var.name}/whatsapp"
  description             = "WhatsApp app of ${var.name}: verify_token, app_secret, app_id"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.secret_recovery_days
}
