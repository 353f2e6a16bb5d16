"""The shipping service: it hands parcels to the carrier."""

PORT = 8104
