"""What an environment is and does at this moment, in a few lines."""
