"""Queues, their settings and their switches."""
