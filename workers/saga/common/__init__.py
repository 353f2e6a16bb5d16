"""What workers and participants share: HTTP clients, tokens and logs. Services import no other part of the library."""
