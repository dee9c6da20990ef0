//! HTTP messages without I/O: heads, HTTP/1 codec, body framing.
