"""Figures: functions that draw on a matplotlib ax, and pages of several axes as PNG."""
