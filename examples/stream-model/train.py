"""Trains the model: `train.py FOLDER` writes model.joblib, and the images that the model has not seen, as unseen.npz."""

import sys

import joblib
import numpy
from sklearn.datasets import load_digits
from sklearn.svm import SVC

folder = sys.argv[1]
digits = load_digits()
half = len(digits.images) // 2
model = SVC(gamma=0.001).fit(digits.data[:half], digits.target[:half])
score = model.score(digits.data[half:], digits.target[half:])
assert score > 0.9, f"the model recognises only {score:.3f} of the images"
joblib.dump(model, f"{folder}/model.joblib")
numpy.savez(f"{folder}/unseen.npz", images=digits.images[half:], labels=digits.target[half:])
