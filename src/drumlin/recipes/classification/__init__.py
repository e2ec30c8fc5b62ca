"""How often classifiers err: the papers' losses on MNIST, CIFAR and ImageNet."""
