#!/usr/bin/env bash
# Subject: Keras 3.15.1 (on torch 2.13.0), save_weights to .weights.h5
# Likely guess: a layer called 'encoder' is stored under 'encoder'
# Instead: it is stored under layers/dense, by its class and position; the given name is an
#   attribute of the group that holds its arrays
# Why it matters: a reader that walks the HDF5 paths loses the names, and inserting a layer of
#   the same class renumbers those behind it
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet keras==3.15.1 h5py==3.16.0 torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'PY'
import os

os.environ["KERAS_BACKEND"] = "torch"
import h5py
import keras

dense = keras.layers.Dense
model = keras.Sequential([keras.Input((3,)), dense(4, name="encoder"), dense(2, name="head")])
model.save_weights("m.weights.h5")
with h5py.File("m.weights.h5") as file:
    groups = list(file["layers"])
    names = [file[f"layers/{group}/vars"].attrs.get("name") for group in groups]

print("keras", keras.__version__)
print("guess: ['encoder', 'head']")
print("seen: ", groups, "with the attribute", names)
same = groups == ["dense", "dense_1"] and names == ["encoder", "head"]
raise SystemExit(0 if same else "the behaviour has changed")
PY
