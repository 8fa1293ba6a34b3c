# The operator, and the worker that pods copy from here: static binaries and their licences, nothing else. `make image` and
# `make release` build them and run this in a folder with both.
FROM scratch
COPY maptask-operator /maptask-operator
COPY maptask-worker /maptask-worker
COPY licenses /licenses
USER 65532:65532
ENTRYPOINT ["/maptask-operator"]
