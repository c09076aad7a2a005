"""Events and conversations as Arrow tables, pandas and polars frames."""
