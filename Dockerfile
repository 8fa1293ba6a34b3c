# The operator, and the worker that pods copy from here: static binaries and nothing else. `make image` builds them and
# runs this in a folder with both.
FROM scratch
COPY maptask-operator /maptask-operator
COPY maptask-worker /maptask-worker
USER 65532:65532
ENTRYPOINT ["/maptask-operator"]
