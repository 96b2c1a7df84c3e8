"""Files as users have them: containers, tables, columns, names and values, each read by content first."""
