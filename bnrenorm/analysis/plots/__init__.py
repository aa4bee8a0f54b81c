"""Figures: axes that are filled, pages of them as PNG."""
