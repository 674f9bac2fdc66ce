"""The recurrent layer, which runs a cell over time, and the loops that it compiles to."""
