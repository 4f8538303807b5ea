"""Methods that no entry point names: a Python file, a class, an ONNX file, any program."""
