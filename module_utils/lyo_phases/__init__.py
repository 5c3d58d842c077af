"""What each phase of the infrastructure must be, read from AWS and judged without Terraform."""
