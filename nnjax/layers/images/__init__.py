"""Layers for images: convolution and pooling."""
