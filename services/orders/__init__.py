"""The orders service: it accepts and prices orders, and decides between dispatch and cancellation."""

PORT = 8101
