"""Classifies images of handwritten digits, one for each line on stdin.

It starts once in a worker: what it does before it reads the first line, it does once for all items.
"""

import json
import sys
import time

began = time.monotonic()

import joblib
import numpy

MOVES = {"none": (0, 0), "left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}

model = joblib.load("/app/model.joblib")
unseen = numpy.load("/app/unseen.npz")
images, labels = unseen["images"], unseen["labels"]
print(f"the model is loaded after {time.monotonic() - began:.1f} s", flush=True)


def classify(item):
    image, move = divmod(item, len(MOVES))
    name, shift = list(MOVES.items())[move]
    moved = numpy.roll(images[image], shift, axis=(0, 1))
    digit = model.predict(moved.reshape(1, -1))[0]
    return {"move": name, "digit": int(digit), "label": int(labels[image])}


for line in sys.stdin:
    request = json.loads(line)
    answer = {"index": request["index"]}
    try:
        answer["result"] = classify(request["item"])
    except Exception as error:
        # The item fails, and the program continues. One that can't continue ends, and is started again.
        answer["error"] = f"{type(error).__name__}: {error}"
    print(json.dumps(answer), flush=True)
