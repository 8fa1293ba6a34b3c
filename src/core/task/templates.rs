//! The templates of a task are those that it was accepted with. The API server refuses what it can see of a change; the
//! rest is noticed here: nothing more starts until the template is put back. Where its pods go may change while it is
//! suspended and has started nothing, as in a Job.

use super::{Stage, Task};
use crate::api::spec::MapTaskSpec;
use crate::core::attempts::lookup_state::LookupState;
use crate::core::ids::Time;
use crate::core::port::TaskSeen;
use crate::core::run::Run;
use crate::core::spec::templates::{RESTORE, SUSPEND, changed, hash, is_of, may_become, with_stand_ins};
use crate::core::spec::{AcceptedSpec, Given, Refusal};

impl Task {
    /// Whether the templates are those of the acceptance.
    pub(super) fn has_its_templates(&self, spec: &MapTaskSpec) -> bool {
        self.summary.template_hash.as_deref().is_none_or(|accepted| is_of(accepted, spec))
    }

    /// The spec is seen for the first time, or has been changed.
    pub(super) fn compare_templates(&mut self, now: Time, seen: &TaskSeen) {
        let same = self.has_its_templates(&seen.spec);
        let movable = !same && self.may_move(seen);
        match &mut self.stage {
            Stage::Checking { spec, request, .. } if spec.template_hash != hash(&seen.spec) => {
                if request.is_pending() {
                    self.templates.outdate_check();
                }
                self.accept_spec(now, &seen.spec);
            }
            // It is accepted with what it has now.
            Stage::Checking { .. } => self.templates.fit(),
            Stage::Fetching(_) => {}
            Stage::Listing(_) => {
                if same {
                    self.templates.fit();
                    self.restore_lister(&seen.spec);
                } else {
                    self.templates.differ(changed(&seen.spec, RESTORE));
                }
            }
            Stage::Running(_) | Stage::Ended { .. } if same => {
                self.templates.fit();
                self.take_templates_back(seen);
            }
            Stage::Running(_) if movable && seen.is_suspended() => self.take_moved_templates(now, seen),
            Stage::Running(_) | Stage::Ended { .. } => {
                self.templates.differ(changed(&seen.spec, if movable { SUSPEND } else { RESTORE }));
            }
        }
        if matches!(self.stage, Stage::Fetching(_)) {
            self.stage = Stage::Fetching(Box::new(self.with_list(&seen.spec)));
            // Of a pod that has computed the list the templates are recorded.
            if !same && self.has_recorded_list() {
                self.templates.differ(changed(&seen.spec, RESTORE));
            } else {
                self.templates.fit();
            }
        }
    }

    /// Whether nothing has started, and the templates differ at most in what may change until then.
    fn may_move(&self, seen: &TaskSeen) -> bool {
        let untouched = self.reduction.is_none() && self.active().is_some_and(Run::has_started_nothing);
        untouched && self.summary.template_hash.as_deref().is_some_and(|accepted| may_become(accepted, &seen.spec))
    }

    /// What was made while the templates were others is made from them again.
    fn take_templates_back(&mut self, seen: &TaskSeen) {
        if self.templates.stand_in() {
            // What was accepted once is not refused.
            let _ = self.make_again(seen);
        }
    }

    /// The templates that the task has now are those that count.
    fn take_moved_templates(&mut self, now: Time, seen: &TaskSeen) {
        if let Err(refusal) = self.make_again(seen) {
            self.templates.differ(format!("{refusal}; correct or restore it"));
            return;
        }
        self.templates.fit();
        self.admission.renew();
        self.summary.template_hash = Some(hash(&seen.spec));
        // The next operator has to know before there is a pod of them.
        let revision = self.writer.change_urgently();
        if let Stage::Running(run) = &mut self.stage {
            let time = run.not_before().map_or(now, |(_, time)| time.max(now));
            run.start_after(revision, time);
        }
    }

    /// Makes the accepted spec again from the templates that the task has now.
    fn make_again(&mut self, seen: &TaskSeen) -> Result<(), Refusal> {
        let listed = self.with_list(&seen.spec);
        let (Stage::Running(run) | Stage::Ended { run: Some(run), .. }) = &mut self.stage else { return Ok(()) };
        let hash = run.spec().source.as_ref().and_then(|(_, hash)| hash.as_deref());
        let given = Given::Awaited(run.spec().count(), hash);
        let spec = AcceptedSpec::accept(&self.key, &self.uid, &listed, given)?;
        if let (Some(reduction), Some(reducer)) = (&mut self.reduction, &spec.reduce) {
            let purpose = reduction.run().spec().blueprint.purpose.clone();
            reduction.run_mut().set_spec(reducer.spec.with_blueprint(|blueprint| blueprint.purpose = purpose));
        }
        // A stand-in has no cache; where pods run makes no difference to one.
        if self.templates.end_stand_in() {
            run.items_mut().set_lookup(spec.cache.is_some().then(LookupState::default));
        }
        let items = run.spec().blueprint.items.clone();
        run.set_spec(spec.with_blueprint(|blueprint| blueprint.items = items));
        Ok(())
    }

    /// The spec to go by: that of the API server, or where its templates are others than those of the acceptance, one
    /// with as much of them as it takes to know what the pods that are there say.
    pub(super) fn spec_to_load(&mut self, seen: &TaskSeen) -> MapTaskSpec {
        let others = !self.has_its_templates(&seen.spec);
        self.templates.set_stand_in(others);
        if others { with_stand_ins(&seen.spec) } else { seen.spec.clone() }
    }
}
