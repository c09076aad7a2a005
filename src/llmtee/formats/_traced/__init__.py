"""What the formats of tracing products share."""
