"""Reports on a sweep: ranking, figures, seeds, and the plan."""
