"""The verbs of the library, one module each: values in, values out, nothing printed."""
