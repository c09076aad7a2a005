"""The providers' clients, traced: ``provider_openai``, ``provider_anthropic`` and ``provider_gemini``.

Each needs the provider's own SDK, and is imported by itself, so that nobody needs those that they do not use.
"""
