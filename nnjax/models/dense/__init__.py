"""Models made of dense layers."""
