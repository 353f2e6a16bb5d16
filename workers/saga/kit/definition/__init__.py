"""What a step is: its typed functions, its participants, and the table of outcomes."""
