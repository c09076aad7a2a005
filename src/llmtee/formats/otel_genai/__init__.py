"""OpenTelemetry traces of generative AI, as OTLP/JSON, in all five dialects that emitters have written. Only read."""

from llmtee.formats.otel_genai.codec import FORMAT

__all__ = ["FORMAT"]
