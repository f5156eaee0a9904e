"""Rasa's custom actions: one a file, thin; what they mean is in ``bot``."""
