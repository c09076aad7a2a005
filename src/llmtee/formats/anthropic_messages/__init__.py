"""Anthropic Messages: request and response, or either alone, to a model call and back."""

from llmtee.formats.anthropic_messages.codec import DIALECT, FORMAT, decode_record, encode_call

__all__ = ["DIALECT", "FORMAT", "decode_record", "encode_call"]
