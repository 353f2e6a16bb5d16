"""The definition of a step: its typed functions, its participants, and the table of outcomes."""
