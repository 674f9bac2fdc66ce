"""Image sources: MNIST, CIFAR-10, idx files and folders of images."""
