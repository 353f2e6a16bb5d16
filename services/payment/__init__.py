"""The payment service: it takes the money and gives it back."""

PORT = 8103
