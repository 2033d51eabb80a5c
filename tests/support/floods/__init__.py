"""Thousands of requests: valid ones, what mutations make of them, and how they are sent."""
