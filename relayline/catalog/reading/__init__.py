"""Reads what functions of tools say of themselves."""
