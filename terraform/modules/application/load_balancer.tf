resource "aws_lb" "this" {
  #checkov:skip=CKV2_AWS_20:the listener "http" redirects; the check takes every listener for one that must
  #checkov:skip=CKV2_AWS_28:the web ACL belongs to the security of an environment, in a module of its own
  name               = var.name
  load_balancer_type = "application"
  internal           = false
  subnets            = var.public_subnet_ids
  security_groups    = [var.security_group_ids.web]

  idle_timeout               = var.load_balancer.idle_timeout
  enable_deletion_protection = var.load_balancer.deletion_protection
  drop_invalid_header_fields = true

  access_logs {
    bucket  = aws_s3_bucket.access_logs.id
    enabled = true
  }

  # Creating the load balancer writes a test object, which the policy must allow by then.
  depends_on = [aws_s3_bucket_policy.access_logs]
}

# Two groups, of which one serves: an ECS deployment fills the other and moves the traffic.
resource "aws_lb_target_group" "this" {
  #checkov:skip=CKV_AWS_378:TLS ends at the load balancer; tasks are in private subnets and take traffic from its security group only
  for_each = toset(["blue", "green"])

  name                 = "${var.name}-${each.key}"
  vpc_id               = var.vpc_id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = var.service.container_port
  deregistration_delay = var.load_balancer.deregistration_delay

  health_check {
    path                = var.health_check.path
    protocol            = "HTTP"
    matcher             = "200"
    interval            = var.health_check.interval
    timeout             = var.health_check.timeout
    healthy_threshold   = var.health_check.healthy_threshold
    unhealthy_threshold = var.health_check.unhealthy_threshold
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "redirect"
    redirect {
      protocol    = "HTTPS"
      port        = tostring(var.public_https_port)
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb_listener" "https" {
  for_each = { production = 443, test = var.load_balancer.test_port }

  load_balancer_arn = aws_lb.this.arn
  port              = each.value
  protocol          = "HTTPS"
  ssl_policy        = var.load_balancer.tls_policy
  certificate_arn   = var.certificate_arn

  # ECS moves rules, not default actions: what no rule takes is nobody's.
  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "Not found"
      status_code  = "404"
    }
  }
}

# Both groups stand in both rules from the start; ECS asks for that on the production rule:
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/alb-resources-for-blue-green.html
resource "aws_lb_listener_rule" "traffic" {
  for_each = aws_lb_listener.https

  listener_arn = each.value.arn
  priority     = 100

  condition {
    path_pattern {
      values = ["/*"]
    }
  }

  action {
    type = "forward"
    forward {
      target_group {
        arn    = aws_lb_target_group.this["blue"].arn
        weight = 100
      }
      target_group {
        arn    = aws_lb_target_group.this["green"].arn
        weight = 0
      }
    }
  }

  tags = { Name = "${var.name}-${each.key}" }

  lifecycle {
    # The weights are ECS's: putting them back would send traffic to an empty group.
    ignore_changes = [action]
  }
}
