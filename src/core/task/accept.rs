//! Is this spec good, as far as can be told without the API server? From it, everything that pods are made from.

use serde_json::Value;

use crate::api::spec::{MapTaskSpec, ResultSource};
use crate::core::ids::{Attempt, Index, ItemCount, TaskKey};
use crate::core::items::{ItemList, ItemsError, item_env};
use crate::core::pod::{PodTemplate, TemplateError};
use crate::core::task::results::Layout;
use crate::core::task::success::{Criterion, Ratio, SuccessError};

/// The part of an accepted task that never changes.
#[derive(Debug)]
pub struct Job {
    /// Namespace and name.
    pub key: TaskKey,
    /// The task's UID, which its pods carry as their owner.
    pub uid: String,
    /// The list.
    pub items: ItemList,
    /// Successes needed.
    pub required: u32,
    /// The share needed in percent, as written, for people.
    pub required_percent: String,
    /// Attempts after own failures.
    pub retries: u32,
    /// Where results go; `None` when none are kept.
    pub results: Option<Layout>,
    /// What pods are made from.
    pub template: PodTemplate,
}

/// Why a task is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The list.
    #[error(transparent)]
    Items(#[from] ItemsError),
    /// The template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The success criterion.
    #[error(transparent)]
    Success(#[from] SuccessError),
}

impl Refusal {
    /// The reason of the Accepted condition.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Items(error) => error.reason(),
            Self::Template(_) => "InvalidTemplate",
            Self::Success(_) => "InvalidSuccessCriterion",
        }
    }
}

impl Job {
    /// Checks the spec and expands what pods are made from.
    pub fn accept(key: &TaskKey, uid: &str, spec: &MapTaskSpec) -> Result<Self, Refusal> {
        let template = PodTemplate::accept(&spec.template, spec.container.as_deref())?;
        let items = ItemList::accept(&spec.items)?;
        let criterion = criterion(spec)?;
        let required = criterion.required(items.count())?;
        let results = match spec.results.source {
            ResultSource::None => None,
            ResultSource::TerminationMessage => {
                Some(Layout::new(u32::try_from(spec.results.max_bytes_per_item).unwrap_or(1), items.count()))
            }
        };
        Ok(Self {
            key: key.clone(),
            uid: uid.to_owned(),
            required,
            required_percent: criterion.percent(items.count()),
            retries: u32::try_from(spec.retries).unwrap_or(0),
            results,
            template,
            items,
        })
    }

    /// Number of items.
    pub fn count(&self) -> ItemCount {
        self.items.count()
    }

    /// The pod of one attempt.
    pub fn pod(&self, index: Index, attempt: Attempt) -> Value {
        let mut env = item_env(&self.items.get(index));
        env.push(("MAPTASK_INDEX".to_owned(), index.to_string()));
        env.push(("MAPTASK_ATTEMPT".to_owned(), attempt.to_string()));
        env.push(("MAPTASK_NAME".to_owned(), self.key.name.to_string()));
        env.push(("MAPTASK_COUNT".to_owned(), self.count().get().to_string()));
        self.template.pod(&self.key, &self.uid, index, attempt, &env)
    }
}

fn criterion(spec: &MapTaskSpec) -> Result<Criterion, SuccessError> {
    Ok(match (spec.min_successes, spec.min_success_ratio) {
        (Some(count), _) => Criterion::Count(u32::try_from(count).unwrap_or(0)),
        (None, Some(ratio)) => Criterion::Ratio(Ratio::from_f64(ratio)?),
        (None, None) => Criterion::Ratio(Ratio::ONE),
    })
}
