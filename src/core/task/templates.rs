//! The templates of a task are those that it was accepted with. The API server refuses what it can see of a change; the
//! rest is noticed here: nothing more starts until the template is put back.

use super::{Stage, Task};
use crate::api::spec::MapTaskSpec;
use crate::core::attempts::lookup_state::LookupState;
use crate::core::ids::Time;
use crate::core::port::TaskSeen;
use crate::core::spec::templates::{hash, is_of, stand_in};
use crate::core::spec::{AcceptedSpec, Given};

/// How it goes with the templates.
#[derive(Debug, Default)]
pub(super) struct Templates {
    /// Why nothing starts, if they are not those of the acceptance.
    pub(super) problem: Option<String>,
    /// The job at hand was made while they were others: no pod may be made from it.
    stand_in: bool,
    /// The dry run that is on its way is of a template that has been changed since.
    pub(super) stale_check: bool,
}

impl Task {
    /// Whether the templates are those of the acceptance.
    pub(super) fn has_its_templates(&self, spec: &MapTaskSpec) -> bool {
        self.summary.template_hash.as_deref().is_none_or(|accepted| is_of(accepted, spec))
    }

    /// The spec is seen for the first time, or has been changed.
    pub(super) fn compare_templates(&mut self, now: Time, seen: &TaskSeen) {
        let same = self.has_its_templates(&seen.spec);
        match &mut self.stage {
            Stage::Fetching(spec) => **spec = seen.spec.clone(),
            Stage::Checking { spec, asked, .. } if spec.template_hash != hash(&seen.spec) => {
                self.templates.stale_check |= *asked;
                self.accept_spec(now, seen);
            }
            Stage::Checking { .. } => {}
            Stage::Running(_) | Stage::Ended { .. } if same => {
                self.templates.problem = None;
                self.take_templates_back(seen);
            }
            Stage::Running(_) | Stage::Ended { .. } => self.templates.problem = Some(problem(seen)),
        }
    }

    /// What was made while the templates were others is made from them again.
    fn take_templates_back(&mut self, seen: &TaskSeen) {
        let (Stage::Running(run) | Stage::Ended { run: Some(run), .. }) = &mut self.stage else { return };
        if !std::mem::take(&mut self.templates.stand_in) {
            return;
        }
        let hash = run.spec().source.as_ref().and_then(|(_, hash)| hash.as_deref());
        let Ok(spec) = AcceptedSpec::accept(&self.key, &self.uid, &seen.spec, Given::Awaited(run.spec().count(), hash))
        else {
            self.templates.stand_in = true;
            return;
        };
        if let (Some(reduction), Some(reducer)) = (&mut self.reduction, &spec.reduce) {
            let reduces = reduction.run.spec().blueprint.reduces;
            reduction.run.set_spec(reducer.spec.with_blueprint(|blueprint| blueprint.reduces = reduces));
        }
        run.items_mut().set_lookup(spec.cache.is_some().then(LookupState::default));
        let items = run.spec().blueprint.items.clone();
        run.set_spec(spec.with_blueprint(|blueprint| blueprint.items = items));
    }

    /// The spec to go by: that of the API server, or where its templates are others than those of the acceptance, one
    /// with as much of them as it takes to know what the pods that are there say.
    pub(super) fn spec_to_load(&mut self, seen: &TaskSeen) -> MapTaskSpec {
        self.templates.stand_in = !self.has_its_templates(&seen.spec);
        if !self.templates.stand_in {
            return seen.spec.clone();
        }
        let mut spec = seen.spec.clone();
        // What is computed from another template has another key, and that of this one is not known.
        spec.cache = None;
        let volume = spec.artifacts.as_ref().map(|artifacts| artifacts.volume.clone());
        spec.template = stand_in(&spec.template, spec.container.as_deref(), volume.as_deref());
        if let Some(reduce) = &mut spec.reduce {
            reduce.template = stand_in(&reduce.template, reduce.container.as_deref(), None);
        }
        spec
    }
}

fn problem(seen: &TaskSeen) -> String {
    let reduce = if seen.spec.reduce.is_some() { " or spec.reduce.template" } else { "" };
    format!(
        "spec.template{reduce} has changed since the task was accepted: running items finish, and nothing more starts; restore it, \
         or create another MapTask"
    )
}
