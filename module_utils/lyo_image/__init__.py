"""Container images: their identity, their building, their way into Amazon ECR."""
