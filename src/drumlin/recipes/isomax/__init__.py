"""The isomax paper's experiments: neighbours, clusters, convergence, and FGSM."""
