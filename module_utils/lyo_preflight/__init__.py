"""Whether everything that a release will need exists and is allowed, before anything is written."""
