"""Search spaces, and the plan that groups trials into few compiled programs."""
