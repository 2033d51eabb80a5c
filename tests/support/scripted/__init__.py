"""Servers and proxies that answer, batch, stall and break as a test tells them to."""
