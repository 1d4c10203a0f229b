"""What moto lacks of AWS for Archipelago; see __main__.py."""
