"""docker-compose.yaml without Docker: what is in it, and what becomes of shots while parts of it die."""
