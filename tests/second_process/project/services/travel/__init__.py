"""The travel service: it books flights and hotels."""

PORT = 8106
