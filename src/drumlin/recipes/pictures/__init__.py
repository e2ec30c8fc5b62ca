"""The papers' drawings: features in two dimensions, distances of means, and what margins do."""
