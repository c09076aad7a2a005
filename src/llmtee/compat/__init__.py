"""Other SDKs' names on llmtee's engine: code written for them runs when its import is changed."""
