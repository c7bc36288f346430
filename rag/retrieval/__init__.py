"""A query -> hits. Everything that searches is a function from query to hits, or wraps one."""
