"""Figures: functions that draw on a matplotlib ax, pages of several axes, and these as PNG or SVG."""
