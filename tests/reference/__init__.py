"""Slow versions straight from the formulas of the papers, in float64, a sample and a class at a time: what fast code must equal."""
