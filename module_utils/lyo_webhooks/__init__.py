"""WhatsApp webhooks at Meta: what is registered for the app, its accounts and their numbers."""
