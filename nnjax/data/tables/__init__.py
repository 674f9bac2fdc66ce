"""Tables of numbers: CSV files and small generated or bundled data sets."""
