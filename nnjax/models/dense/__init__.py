"""Models of dense layers."""
