"""What sends a night's report to people."""
