"""Figures of a sweep: curves, hyperparameters and their importances."""
