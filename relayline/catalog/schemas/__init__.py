"""JSON Schemas: of arguments, of answers, and their patterns."""
