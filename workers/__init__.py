"""Workers: the saga's steps, the runtime that runs them, and the `saga` command."""
