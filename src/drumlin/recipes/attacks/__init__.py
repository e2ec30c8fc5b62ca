"""Attacked images: telling them from others, and attackers who know the detector."""
