"""Agents, their settings and their state."""
