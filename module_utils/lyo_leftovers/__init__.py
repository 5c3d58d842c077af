"""What an environment leaves behind when it is taken down, and what of it is kept on purpose."""
