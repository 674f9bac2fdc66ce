"""Running a sweep: workers, processes, Ray, and the display."""
