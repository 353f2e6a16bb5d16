"""What becomes of a job between its activation and the reply to Zeebe."""
