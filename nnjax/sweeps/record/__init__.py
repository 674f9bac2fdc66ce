"""The record of a sweep on disk: the study, the trials' directories, the results."""
