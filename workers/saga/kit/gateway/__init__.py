"""The connection to Zeebe's gateway: channel, credentials, stubs, and the pauses between calls that fail."""
