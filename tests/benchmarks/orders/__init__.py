"""Whole orders per second with the real services: our workers beside a set written plainly with pyzeebe and httpx."""
