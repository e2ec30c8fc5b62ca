"""What to run and measure together: one module a paper or purpose."""
