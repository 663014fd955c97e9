"""Exchange with MLflow: its servers, its `mlruns` folders and its databases."""
