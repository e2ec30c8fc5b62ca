"""Arrays in, numbers out: how well scores detect, how honest probabilities are, how far apart classes lie."""
