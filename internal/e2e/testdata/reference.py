"""Calls the reference signer's Python API for what its command line has no options for: shards, other hashes, ignored paths.

One argument, a JSON object: {"do": "sign" | "verify", "key": FILE, "model": PATH, "signature": FILE, and optionally
"password": TEXT, "method": "files" | "shards", "hash": NAME, "shard_size": N, "ignore": [PATH, ...]}.
"""

import json
import pathlib
import sys

from model_signing import hashing, signing, verifying


def hashing_config(job):
    config = hashing.Config()
    algorithm = job.get("hash", "sha256")
    if job.get("method", "files") == "shards":
        config.use_shard_serialization(hashing_algorithm=algorithm, shard_size=job["shard_size"])
    else:
        config.use_file_serialization(hashing_algorithm=algorithm)
    # The signature's own file is no part of a model when it lies in it.
    ignored = list(job.get("ignore", []))
    signature = pathlib.Path(job["signature"])
    model = pathlib.Path(job["model"])
    if model in signature.parents:
        ignored.append(str(signature.relative_to(model)))
    config.set_ignored_paths(paths=ignored)
    return config


def main():
    job = json.loads(sys.argv[1])
    model = pathlib.Path(job["model"])
    if job["do"] == "sign":
        password = job["password"].encode() if "password" in job else None
        signer = signing.Config().use_elliptic_key_signer(private_key=job["key"], password=password)
        signer.set_hashing_config(hashing_config(job)).sign(model, job["signature"])
        return
    verifier = verifying.Config().use_elliptic_key_verifier(public_key=job["key"])
    verifier.verify(model, job["signature"])


main()
