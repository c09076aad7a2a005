"""Moves history from one vendor, file or log to another vendor: plan, run, resume, verify."""
