"""The core alone: commands in, records out."""
