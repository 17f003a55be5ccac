"""Links from a task to Renderjuice."""
