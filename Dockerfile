# The operator: one static binary and nothing else. `make image` builds the binary and runs this in a folder with it.
FROM scratch
COPY maptask-operator /maptask-operator
USER 65532:65532
ENTRYPOINT ["/maptask-operator"]
