"""The field's methods, on the public interface alone: one file each, shared parts beside."""
