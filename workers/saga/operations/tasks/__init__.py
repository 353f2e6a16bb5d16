"""User tasks: what people are asked, the forms that ask them, and their answers."""
