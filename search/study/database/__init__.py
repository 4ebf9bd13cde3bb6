"""Studies in a PostgreSQL database: connection and lock, rows in Optuna's tables, the storage of the only writer."""
