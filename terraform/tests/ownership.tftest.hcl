# After a release the plan is empty: what a deployment changes is not Terraform's to put back.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_resource "aws_lb" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-south-1:123456789012:loadbalancer/app/lyo-test/1" }
  }
  mock_resource "aws_lb_listener" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-south-1:123456789012:listener/app/lyo-test/1/2" }
  }
  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-south-1:123456789012:targetgroup/lyo-test/1" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/lyo-test" }
  }
  mock_resource "aws_ecs_cluster" {
    defaults = { arn = "arn:aws:ecs:eu-south-1:123456789012:cluster/lyo-test" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::lyo-test" }
  }
}

variables {
  name               = "lyo-test"
  region             = "eu-south-1"
  account_id         = "123456789012"
  vpc_id             = "vpc-a"
  public_subnet_ids  = ["subnet-a", "subnet-b"]
  private_subnet_ids = ["subnet-c", "subnet-d"]
  security_group_ids = { web = "sg-a", application = "sg-b" }
  certificate_arn    = "arn:aws:acm:eu-south-1:123456789012:certificate/test"
}

run "first" {
  module {
    source = "./modules/application"
  }

  assert {
    condition     = aws_ecs_service.this.desired_count == 0
    error_message = "The service must begin without tasks: its first task definition has no image."
  }
  assert {
    condition     = [for group in aws_lb_listener_rule.traffic["production"].action[0].forward[0].target_group : group.weight] == [100, 0] || [for group in aws_lb_listener_rule.traffic["production"].action[0].forward[0].target_group : group.weight] == [0, 100]
    error_message = "The production rule must name both target groups, one with all the traffic."
  }
  assert {
    condition     = toset(keys(aws_lb_listener_rule.traffic)) == toset(["production", "test"])
    error_message = "There must be a production and a test listener rule."
  }
}

# Another container would be another load balancer block, if Terraform owned it. (Task definition
# and weights cannot change under a mock: tests/localcloud/test_terraform.py changes them for real.)
run "another_port" {
  command = plan
  module {
    source = "./modules/application"
  }

  variables {
    service = { container_port = 9090, container_name = "other" }
  }

  assert {
    condition     = [for block in aws_ecs_service.this.load_balancer : block.container_port] == [8080]
    error_message = "The service's load balancer is ECS's after a release: ignore_changes must have load_balancer."
  }
}
