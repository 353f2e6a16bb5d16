"""What the barrier costs a participant, beside the same business without it."""
