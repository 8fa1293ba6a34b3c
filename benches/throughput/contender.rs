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
    /// The same, and a `FlowSchema` gives the operator's requests a priority level of their own.
    FloodedWithSchema,
}

pub fn name(contender: Contender) -> &'static str {
    match contender {
        Contender::Bare => "bare loop",
        Contender::Job => "Indexed Job, 5,000 QPS",
        Contender::MapTask => "MapTask",
        Contender::MapTaskWithout => "MapTask without results",
        Contender::JobDefault => "Indexed Job, default 20 QPS",
        Contender::Flooded => "MapTask, flooded",
        Contender::FloodedWithSchema => "MapTask, flooded, with a FlowSchema",
    }
}

/// Which program is the contender's controller.
pub fn controller(contender: Contender) -> Option<&'static str> {
    match contender {
        Contender::Bare => None,
        Contender::Job | Contender::JobDefault => Some("kube-controller-manager"),
        _ => Some(OPERATOR),
    }
}
