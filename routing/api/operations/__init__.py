"""Callbacks that are asked for, and what is done to interactions from outside a call."""
