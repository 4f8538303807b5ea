"""pix2pix, pyramid pix2pix and the variance-penalized pyramid, on the public interface alone."""
