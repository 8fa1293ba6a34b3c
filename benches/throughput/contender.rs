//! Who is measured.

use crate::meter::OPERATOR;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contender {
    /// Creates, watches and deletes pods, and nothing else.
    Bare,
    /// An Indexed Job, the controller manager at 5,000 requests a second.
    Job,
    MapTask,
    /// A `MapTask` that keeps no results.
    MapTaskWithout,
    /// An Indexed Job, the controller manager as it is by default: 20 requests a second.
    JobDefault,
    /// A `MapTask` while another client floods the API server.
    Flooded,
    /// A `MapTask` with a priority level of its own by a `FlowSchema`, while another client floods the API server.
    FloodedWithSchema,
}

impl Contender {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare loop",
            Self::Job => "Indexed Job, 5,000 QPS",
            Self::MapTask => "MapTask",
            Self::MapTaskWithout => "MapTask without results",
            Self::JobDefault => "Indexed Job, default 20 QPS",
            Self::Flooded => "MapTask, flooded",
            Self::FloodedWithSchema => "MapTask, flooded, with a FlowSchema",
        }
    }

    /// Which program is its controller.
    pub fn controller(self) -> Option<&'static str> {
        match self {
            Self::Bare => None,
            Self::Job | Self::JobDefault => Some("kube-controller-manager"),
            _ => Some(OPERATOR),
        }
    }
}
