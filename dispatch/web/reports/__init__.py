"""Reports as they are asked for and handed out: periods, names, tables, the month of an area."""
