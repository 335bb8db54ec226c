"""Addresses the firewall shuts out."""
