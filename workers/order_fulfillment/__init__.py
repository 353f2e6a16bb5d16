"""The process `order-fulfillment`: its model, its steps, and the publisher of placed orders."""
