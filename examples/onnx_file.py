"""Export the network of a run as ONNX, and score the file through the door of any ONNX file.

Run it as: python onnx_file.py RUN DATASET
"""

import sys

import i2ibench


def main(run: str, dataset: str) -> None:
    """Print how near the file comes, and both scores."""
    trained = i2ibench.read_result(f"{run}/result.json")
    made = i2ibench.export_onnx(run, "net.onnx", dataset=dataset)
    print(made)
    # The file says its range and size rule itself.
    again = i2ibench.run(model="net.onnx", dataset=dataset, protocol=trained.protocol.id)
    for name in ("psnr", "ssim"):
        print(name, trained.metrics[name].value, again.result.metrics[name].value)


if __name__ == "__main__":
    main(*sys.argv[1:])
