# Three tiers; every rule is a resource of its own, so that one change touches one rule.
# Name resolution needs no rule: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-dns.html

resource "aws_security_group" "web" {
  #checkov:skip=CKV2_AWS_5:the load balancer of another module use it
  name        = "${var.name}-web"
  description = "Load balancer: HTTP and HTTPS from everywhere, the test listener from named ranges"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-web" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "web_http" {
  #checkov:skip=CKV_AWS_260:port 80 answers with a redirect to HTTPS and nothing else
  security_group_id = aws_security_group.web.id
  description       = "HTTP from everywhere, redirected to HTTPS"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
}

resource "aws_vpc_security_group_ingress_rule" "web_https" {
  security_group_id = aws_security_group.web.id
  description       = "HTTPS from everywhere"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_ingress_rule" "web_test_listener" {
  for_each = toset(var.test_listener_cidrs)

  security_group_id = aws_security_group.web.id
  description       = "Test listener"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = var.ports.test_listener
  to_port           = var.ports.test_listener
}

resource "aws_vpc_security_group_egress_rule" "web_application" {
  security_group_id            = aws_security_group.web.id
  description                  = "Requests and health checks to the application"
  referenced_security_group_id = aws_security_group.application.id
  ip_protocol                  = "tcp"
  from_port                    = var.ports.application
  to_port                      = var.ports.application
}

resource "aws_security_group" "application" {
  #checkov:skip=CKV2_AWS_5:the tasks of another module use it
  name        = "${var.name}-application"
  description = "Application tasks: from the load balancer only"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-application" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "application_web" {
  security_group_id            = aws_security_group.application.id
  description                  = "Requests and health checks from the load balancer"
  referenced_security_group_id = aws_security_group.web.id
  ip_protocol                  = "tcp"
  from_port                    = var.ports.application
  to_port                      = var.ports.application
}

resource "aws_vpc_security_group_egress_rule" "application_https" {
  security_group_id = aws_security_group.application.id
  description       = "HTTPS to AWS and to Meta"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "application_data" {
  for_each = { database = var.ports.database, cache = var.ports.cache }

  security_group_id            = aws_security_group.application.id
  description                  = "To the ${each.key}"
  referenced_security_group_id = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
}

resource "aws_security_group" "database" {
  #checkov:skip=CKV2_AWS_5:the database and cache of another module use it
  name        = "${var.name}-database"
  description = "Database and cache: from the application only, nothing out"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-database" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "database_application" {
  for_each = { database = var.ports.database, cache = var.ports.cache }

  security_group_id            = aws_security_group.database.id
  description                  = "To the ${each.key} from the application"
  referenced_security_group_id = aws_security_group.application.id
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
}

# Whatever is started without a group of its own can neither reach nor be reached.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-default-closed" }
}
