//! What holds up the start of a pod?

/// What holds up the start of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlockerKind {
    /// No node has room for it.
    NoCapacity,
    /// Somebody holds it back by a scheduling gate.
    Gated,
    /// An image can't be pulled.
    Image,
    /// No image can have this name.
    ImageName,
    /// Something that its template refers to is missing or wrong.
    Config,
    /// A volume of it is not there yet, or can't be mounted.
    Volume,
    /// Its node, or the network there.
    Node,
    /// It has taken longer than a pod takes, and nobody says why.
    Silent,
    /// What every pod goes through.
    Other,
}

impl BlockerKind {
    /// Whether the status of a pod says all that is to be known, so that its Events need not be read.
    pub fn is_told_by_status(self) -> bool {
        matches!(self, Self::NoCapacity | Self::Gated | Self::ImageName | Self::Config)
    }
}

/// What holds up the start of a pod, with the cluster's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartBlocker {
    /// What it is.
    pub kind: BlockerKind,
    /// The scheduler's or the kubelet's message.
    pub message: String,
}
