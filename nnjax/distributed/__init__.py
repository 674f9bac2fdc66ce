"""Devices and processes: meshes, hosts, and the collectives between them."""
