"""Lyo's reference application: a multi-tenant WhatsApp booking assistant for Italian restaurants."""
