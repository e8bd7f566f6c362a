"""Figures and their budgets: run.py measures them."""
